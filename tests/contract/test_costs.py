"""What a pipeline has cost: the instance seconds that Cloud Monitoring tells, the idle tail included.

And every figure of the report reckoned again from the table's file, without any code of the package.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

import gpupipe
from gpupipe.core.config import load
from gpupipe.core.flags import Flags
from gpupipe.deploy.cost_report import Actual, plan_notes, report
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.localcloud.runner.supervisor import Supervisor
from gpupipe.localcloud.services.run.surface import Run
from gpupipe.render.cost import cost_json

PROJECT = "cost-project"
PRICES = Path(gpupipe.__file__).parent / "core" / "prices.toml"
TAIL_S = 900


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("costs") / "cloud", clock=FastClock(1))
    running.kernel.projects.ensure(PROJECT)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def deployed(cloud: RunningCloud) -> Deployer:
    """With the local cloud's own clock, which is moved ahead."""
    clock: Any = cloud.kernel.clock
    found = replace(tiny_deployer(cloud, PROJECT), clock=clock)
    done = found.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    return found


def row() -> dict[str, Any]:
    content = tomllib.loads(PRICES.read_text(encoding="utf-8"), parse_float=Fraction)
    found: dict[str, Any] = content["region"]["us-central1"]
    return found


def second(cpu: int, gib: int, gpu: str) -> Fraction:
    """An instance of the default size for a second, by hand."""
    price = row()
    running: Fraction = cpu * price["cpu_second"] + gib * price["memory_gib_second"]
    beside: Fraction = price["gpu_second"][gpu]
    return running + beside


def so_far(deployed: Deployer) -> dict[str, Actual]:
    found = report(deployed.engine().world, None)
    return {one.service: one for one in found.actual}


def supervisor(cloud: RunningCloud) -> Supervisor:
    (run,) = [one for one in cloud.cloud.surfaces if isinstance(one, Run)]
    return run.supervisor


@pytest.mark.promise(105)
@pytest.mark.promise(111)
@pytest.mark.promise(112)
def test_so_far_is_what_instances_were_billed_for_with_the_time_that_they_stayed_idle(
    cloud: RunningCloud, deployed: Deployer
) -> None:
    """An instance of each service was started by the deploy, and ends when it was idle for 15 minutes."""
    clock = cloud.kernel.clock
    before = so_far(deployed)["gpu-inference"]
    for _ in range(15):
        clock.advance(60)
    assert supervisor(cloud).wait_until_gone(60), "idle for 15 minutes, they end"
    found = so_far(deployed)
    gpu = found["gpu-inference"]
    lived_at_most = (clock.now() - gpu.since).total_seconds()
    assert before.seconds < TAIL_S <= gpu.seconds < lived_at_most
    assert gpu.seconds - before.seconds < TAIL_S + 120
    assert Fraction(gpu.cost.known) == Fraction(str(gpu.seconds)) * second(4, 16, "nvidia-l4")
    assert (gpu.why, gpu.cost.unknown) == ("", ())
    # Billed by request, and nobody asked: no tail. What a request costs is not known.
    for name in ("preprocess", "postprocess"):
        assert found[name].seconds < TAIL_S
        assert found[name].cost.known == 0
    clock.advance(3600)
    assert so_far(deployed)["gpu-inference"].seconds == gpu.seconds, "it has ended"


@pytest.mark.promise(154)
def test_a_plan_shows_what_a_change_costs_and_warns_of_what_stays_up(
    deployed: Deployer, tmp_path: Path
) -> None:
    file = tmp_path / "gpupipe.toml"
    file.write_text(
        "[gpu_inference]\nmin_instances = 1\nmax_instances = 2\nzonal_redundancy = false\n"
    )
    engine = replace(deployed, file=file).engine()
    notes = plan_notes(engine.world, engine.plan())
    hour = 3600 * second(4, 16, "nvidia-l4")
    # The quotas of a new project allow two instances: the worst hour stays what it was.
    assert notes[0] == f"Cost idle, a month: 0.00 USD -> {float(730 * hour):,.2f} USD."
    assert (
        f"min_instances = 1 is billed also when nothing comes: {float(730 * hour):,.2f}" in notes[1]
    )
    assert plan_notes(deployed.engine().world, deployed.engine().plan()) == ()
    # Where the APIs are off the quotas are not known: what the plan tells is not the last word.
    fresh = replace(deployed, project="fresh-costs").engine()
    worst, later = plan_notes(fresh.world, fresh.plan())
    assert "at worst, an hour: 0.00 USD -> 10.47 USD" in worst
    assert later.startswith("Quotas are read again when the APIs are enabled")


@pytest.mark.parametrize("preset", ["high-performance", "cost-optimized", "development"])
@pytest.mark.parametrize(("most", "least"), [(7, 0), (3, 2)])
@pytest.mark.parametrize("zonal", [False, True])
@pytest.mark.promise(107)
def test_every_figure_by_hand(
    deployed: Deployer, tmp_path: Path, preset: str, most: int, least: int, zonal: bool
) -> None:
    """Exact fractions of what the file says; 730 hours a month, 900 seconds after the last file."""
    cpu, gib = {"high-performance": (8, 32)}.get(preset, (4, 16))
    settings = {"min_instances": least, "max_instances": most, "zonal_redundancy": zonal}
    texts = tuple(f"gpu_inference.{name}={str(one).lower()}" for name, one in settings.items())
    config = load(Flags(preset=preset, settings=texts), {}, tmp_path)
    facts = Facts()
    facts.max_instances = {"preprocess": 5, "gpu-inference": most, "postprocess": 5}
    spec = PipelineSpec(config.names(PROJECT), config)
    world = replace(deployed.engine().world, spec=spec, facts=facts)
    shown = cost_json(report(world, Decimal(3)))
    price = row()
    gpu = price["zonal_gpu_second" if zonal else "gpu_second"]["nvidia-l4"]
    hour = 3600 * (cpu * price["cpu_second"] + gib * price["memory_gib_second"] + gpu)
    services = {one["service"]: one for one in shown["services"]}
    assert Fraction(services["gpu-inference"]["instance_hour"]["known"]) == hour
    assert Fraction(shown["idle_month"]["known"]) == hour * 730 * least
    assert Fraction(shown["worst_hour"]["known"]) == hour * most
    assert Fraction(shown["files"]["known"]) == hour * (1000 * 3 + TAIL_S) / 3600
    assert len(shown["warnings"]) == (least > 0) + zonal
    assert shown["worst_hour"]["unknown"] == ["request-based instances"]
