"""The engine's own time: how near a deploy is to its critical path, and a look to its slowest read.

The local cloud runs in this process with the typical durations on, and all waits are on a clock that
can run faster than the machine's. What is measured is a ratio of times of that clock.
"""

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
from gpupipe.localcloud.kernel import latency

FACTOR = 4.0
"""How fast the clock runs: low enough for this machine's own work not to count for much."""
HELD_S = 2.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as cloud:
        whole_deploys(cloud)
        looks(cloud)


@contextmanager
def running(folder: Path, factor: float = FACTOR) -> Iterator[RunningCloud]:
    """A local cloud on a clock that runs so many times as fast as the machine's."""
    cloud = start_cloud(folder / "cloud", clock=FastClock(factor))
    try:
        yield cloud
    finally:
        cloud.kernel.behaviour.latency_factor = 0.0
        cloud.stop()


def deployer_of(cloud: RunningCloud, project: str, parallelism: int) -> Deployer:
    """Works with the pauses that Google Cloud would get."""
    deployer = tiny_deployer(cloud, project, parallelism=parallelism, hurry=1.0)
    deployer.clock = FastClock(FACTOR)
    return deployer


def whole_deploys(cloud: RunningCloud) -> None:
    """A first deploy, overlapping and one step after another, against the longest chain of steps."""
    tiny_deployer(cloud, "warm-up").deploy(canary=False)
    cloud.kernel.behaviour.latency_factor = 1.0
    overlapping, took = deployed(deployer_of(cloud, "overlapping", 8))
    alone, _ = deployed(deployer_of(cloud, "one-by-one", 1))
    cloud.kernel.behaviour.latency_factor = 0.0
    chain = longest(took)
    floor = longest(typical())

    print(f"deploy / its longest chain of steps: {ratio(overlapping, chain)}")
    print(f"deploy / longest chain of typical durations: {ratio(overlapping, floor)}")
    print(f"one step after another / deploy: {ratio(alone, overlapping)}", flush=True)


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
    """The longest chain of steps that need each other."""
    ends: dict[str, float] = {}
    for step in TINY_STEPS:
        begins = max((ends[need] for need in step.needs), default=0.0)
        ends[step.key] = begins + seconds[step.key]
    return max(ends.values())


def looks(cloud: RunningCloud) -> None:
    """A deploy that changes nothing and a status, with each read held."""
    deployer = tiny_deployer(cloud, "overlapping", hurry=1.0)
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
    began = time.perf_counter()
    look()
    took = time.perf_counter() - began
    cloud.kernel.behaviour.latency_factor = 0.0
    print(f"{what} / one read, each held {HELD_S:g} s: {ratio(took, HELD_S)}", flush=True)


def ratio(one: float, two: float) -> str:
    """Both and their quotient."""
    return f"{one / two:.2f}  ({one:.2f} s / {two:.2f} s)"
