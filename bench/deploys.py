"""The engine's own time: how near a deploy is to its critical path, and a look to its slowest read.

The local cloud runs in this process with the typical durations on, and all waits are on a clock that
can run faster than the machine's. What is measured is a ratio of times of that clock.
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.crashes import TINY_STEPS, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.deploy.events import Event, Finished
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.health import states
from gpupipe.deploy.step import World
from gpupipe.deploy.steps import STEPS
from gpupipe.localcloud.kernel import latency

FACTOR, ROUGH = 2.0, 4.0
"""How fast the clock runs: where it is slow, this machine's own work does not count for much."""
HELD_S = 2.0
LOOKS = 5
PROJECT = "bench-project"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), ROUGH) as cloud:
        alone = whole_deploy(cloud, ROUGH, 1)[0]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), FACTOR) as cloud:
        compare(alone, *whole_deploy(cloud, FACTOR, 8))
        looks(cloud)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), 1.0) as cloud:
        real_deploy(cloud)


@contextmanager
def running(folder: Path, factor: float) -> Iterator[RunningCloud]:
    """A local cloud on a clock that runs so many times as fast as the machine's."""
    cloud = start_cloud(folder / "cloud", clock=FastClock(factor))
    try:
        yield cloud
    finally:
        cloud.kernel.behaviour.latency_factor = 0.0
        cloud.stop()


def whole_deploy(
    cloud: RunningCloud, factor: float, parallelism: int
) -> tuple[float, dict[str, float]]:
    """A first deploy with typical durations and with the pauses that Google Cloud would get."""
    tiny_deployer(cloud, "warm-up").deploy(canary=False)
    deployer = tiny_deployer(cloud, PROJECT, parallelism=parallelism, hurry=1.0)
    deployer.clock = FastClock(factor)
    cloud.kernel.behaviour.latency_factor = 1.0
    measured = deployed(deployer)
    cloud.kernel.behaviour.latency_factor = 0.0
    return measured


def compare(alone: float, overlapping: float, took: Mapping[str, float]) -> None:
    """Print what a deploy whose steps took so long makes of the longest chain of them."""
    least = {step: seconds for step, seconds in typical().items() if step in took}
    chain, floor = longest(took), longest(least)
    print(f"deploy / its longest chain of steps: {ratio(overlapping, chain)}")
    print(f"deploy / longest chain of typical operations: {ratio(overlapping, floor)}")
    print(f"one step after another / deploy: {ratio(alone, overlapping)}", flush=True)


def real_deploy(cloud: RunningCloud) -> None:
    """The same with the real images, on the machine's time and without any typical duration."""
    whole, took = deployed(Deployer(cloud, FastClock(1.0), "real-run", steps=STEPS))
    print(
        f"real deploy here / its longest chain of steps: {ratio(whole, longest(took))}", flush=True
    )


def deployed(deployer: Deployer) -> tuple[float, dict[str, float]]:
    """Seconds of the clock that a first deploy takes, and those of each of its steps."""
    took: dict[str, float] = {}

    def hear(event: Event) -> None:
        if isinstance(event, Finished):
            took[event.action.step] = event.elapsed_s

    began = deployer.clock.monotonic()
    done = deployer.deploy(canary=False, report=hear)
    if done.outcome.failed:
        raise RuntimeError(str(done.outcome))
    return deployer.clock.monotonic() - began, took


def typical() -> dict[str, float]:
    """What each step takes at least: the operations that it waits for, from the table in force."""
    seconds = latency.operation_s
    by_kind = {
        "APIs": seconds("serviceusage.services.batchEnable"),
        "repository": seconds("artifactregistry.repositories.create"),
        "image": seconds("cloudbuild.builds.create"),
        "service": seconds("run.services.create"),
        "workflow": seconds("workflows.workflows.create"),
        "trigger": seconds("eventarc.triggers.create"),
    }
    return {step.key: by_kind.get(step.kind, latency.WRITE_S) for step in TINY_STEPS}


def longest(seconds: Mapping[str, float]) -> float:
    """The longest chain of steps that need each other; what nobody asked for takes no time."""
    ends: dict[str, float] = {}
    for step in TINY_STEPS:
        begins = max((ends[need] for need in step.needs), default=0.0)
        ends[step.key] = begins + seconds.get(step.key, 0.0)
    return max(ends.values())


def looks(cloud: RunningCloud) -> None:
    """A deploy that changes nothing and a status, with each read held."""
    deployer = tiny_deployer(cloud, PROJECT, hurry=1.0)
    log = cloud.cloud.pipeline.log
    before = log.latest()
    deployer.deploy(canary=False)
    rows = log.since(before, 1_000)
    writes = Counter(row.method for row in rows if row.writes)
    print(
        f"calls of a deploy that changes nothing: {len(rows)}, of which write: {sum(writes.values())}"
    )
    world = World(deployer.connect(), deployer.spec, Facts())
    held(cloud, "deploy that changes nothing", lambda: deployer.deploy(canary=False))
    held(cloud, "states of `gpupipe status`", lambda: states(world))


def held(cloud: RunningCloud, what: str, look: Callable[[], object]) -> None:
    """How long a look takes, as a multiple of one read, when each read is held for `HELD_S`."""
    look()
    cloud.kernel.behaviour.latency_factor = HELD_S * FACTOR / latency.READ_S
    took = statistics.median(seconds(look) for _ in range(LOOKS))
    cloud.kernel.behaviour.latency_factor = 0.0
    print(f"{what} / one read, each held {HELD_S:g} s: {ratio(took, HELD_S)}", flush=True)


def seconds(look: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    look()
    return time.perf_counter() - began


def ratio(one: float, two: float) -> str:
    """Both and their quotient."""
    return f"{one / two:.2f}  ({one:.2f} s / {two:.2f} s)"
