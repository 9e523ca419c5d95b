"""Costs, reckoned again by hand from the table; what has no price is unknown, never nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpupipe.cloud import run
from gpupipe.core.config import load
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.prices import Prices, prices
from gpupipe.deploy.cost_report import report
from gpupipe.deploy.costs import change, cost_of, text, warnings
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World
from gpupipe.render.cost import cost_json

# By hand: 4 CPU x 0.000018 = 0.000072; 16 GiB x 0.000002 = 0.000032; L4 0.0001867; zonal 0.0002909.
L4_SECOND, ZONAL_SECOND = Decimal("0.0002907"), Decimal("0.0003949")
HEAD = 'as_of="1"\nsource="s"\ncurrency="USD"\n'
MADE = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def spec(tmp_path: Path) -> PipelineSpec:
    config = load(Flags(), {}, tmp_path)
    return PipelineSpec(config.names("demo-project"), config)


@pytest.fixture
def table() -> Prices:
    return prices("us-central1")


def gpu(spec: PipelineSpec, **changes: Any) -> run.Service:
    return replace(spec.service("gpu-inference", "", 10), **changes)


@pytest.mark.promise(15)
@pytest.mark.promise(107)
@pytest.mark.promise("D27")
@pytest.mark.promise("S82")
def test_an_l4_with_what_rides_along(spec: PipelineSpec, table: Prices) -> None:
    found = cost_of("gpu-inference", gpu(spec), table)
    assert found.instance_hour.known == L4_SECOND * 3600 == Decimal("1.04652")
    assert found.worst_hour.known == Decimal("10.4652")
    assert found.idle_month.known == 0
    assert found.worst_hour.unknown == ()


@pytest.mark.promise(104)
@pytest.mark.promise(105)
def test_what_stays_up_and_what_is_reserved_is_warned_of(spec: PipelineSpec, table: Prices) -> None:
    service = gpu(spec, min_instances=2, zonal_redundancy=True)
    found = cost_of("gpu-inference", service, table)
    assert found.idle_month.known == ZONAL_SECOND * 3600 * 730 * 2
    idle, zonal = warnings({"gpu-inference": service}, table)
    assert "min_instances = 2 is billed also when nothing comes: 2,075.59 USD a month" in idle
    assert "1.42 USD an hour" in zonal
    assert warnings({"gpu-inference": gpu(spec)}, table) == ()


def test_what_has_no_price_is_unknown(spec: PipelineSpec, table: Prices) -> None:
    by_request = cost_of("preprocess", spec.service("preprocess", "", 10), table)
    assert by_request.worst_hour.known == 0
    assert by_request.worst_hour.unknown == ("request-based instances",)
    assert text(by_request.worst_hour, table) == "not known (request-based instances)"
    rtx = cost_of("gpu-inference", gpu(spec, accelerator="nvidia-rtx-pro-6000"), table)
    assert rtx.instance_hour.unknown == ("nvidia-rtx-pro-6000 in us-central1",)
    assert text(rtx.instance_hour, table).startswith("0.3744 USD without nvidia-rtx-pro-6000")
    elsewhere = cost_of("gpu-inference", gpu(spec), prices("europe-west4"))
    assert elsewhere.instance_hour.known == 0
    assert len(elsewhere.instance_hour.unknown) == 3


@pytest.mark.promise(154)
def test_a_plan_tells_what_a_change_does(spec: PipelineSpec, table: Prices) -> None:
    before, after = {"gpu-inference": gpu(spec)}, {"gpu-inference": gpu(spec, max_instances=3)}
    assert change(before, after, table) == ("Cost at worst, an hour: 10.47 USD -> 3.14 USD.",)
    assert change(before, before, table) == ()
    both = change({}, {"gpu-inference": gpu(spec, min_instances=1)}, table)
    assert both[0] == "Cost idle, a month: 0.00 USD -> 763.96 USD."


class Metrics:
    """Instances of each service were up for an hour."""

    def billed_seconds(self, project: str, region: str, service: str, since: datetime,
                       until: datetime) -> float:  # fmt: skip
        assert (project, region, since) == ("demo-project", "us-central1", MADE)
        assert since < until
        if service.endswith("postprocess"):
            raise GpupipeError("No metrics here.", resolution="-", doc="-")
        return 3600.0


def world(spec: PipelineSpec) -> World:
    run_api = SimpleNamespace(get=lambda name: live(spec, name))
    took = [
        SimpleNamespace(
            state="SUCCEEDED", started=MADE, ended=MADE.replace(second=seconds), file=file
        )
        for seconds, file in ((2, "a.txt"), (4, "b.txt"), (59, "gpupipe-canary/x.txt"))
    ]
    cloud: Any = SimpleNamespace(
        run=run_api,
        metrics=Metrics(),
        executions=SimpleNamespace(newest=lambda *_: took),
        caller=SimpleNamespace(
            clock=SimpleNamespace(now=lambda: datetime(2026, 11, 2, tzinfo=UTC))
        ),
    )
    facts = Facts()
    facts.max_instances = {"preprocess": 10, "gpu-inference": 3, "postprocess": 10}
    return World(cloud, spec, facts)


def live(spec: PipelineSpec, name: str) -> Any:
    service = next(one for one in ("preprocess", "gpu-inference", "postprocess") if one in name)
    return SimpleNamespace(service=spec.service(service, "", 10), made=MADE)


@pytest.mark.promise(105)
@pytest.mark.promise(111)
@pytest.mark.promise(112)
def test_the_report_measures_files_and_counts_instance_seconds(spec: PipelineSpec) -> None:
    found = report(world(spec), None)
    assert found.seconds_of_file == Decimal("3.0"), "the mean, without the canary"
    assert found.files is not None
    assert found.files.known == L4_SECOND * (3 * 1000 + 900)
    assert found.worst_hour.known == Decimal("3.13956")
    actual = {one.service: one for one in found.actual}
    assert actual["gpu-inference"].cost.known == Decimal("1.04652")
    assert actual["postprocess"].why == "No metrics here."
    document = cost_json(found)
    assert document["worst_hour"] == {"known": "3.1395600", "unknown": ["request-based instances"]}
    assert document["prices_as_of"] == "2026-08"
    given = report(world(spec), Decimal("0.5"))
    assert given.files is not None
    assert given.files.known == L4_SECOND * (500 + 900)


@pytest.mark.parametrize(
    "text_of_table",
    [
        "",
        "as_of = 1",
        "no toml",
        f"{HEAD}[region.us-central1]\ncpu_second = -1",
        f"{HEAD}region = 3",
    ],
)
def test_a_price_table_of_ones_own_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_of_table: str
) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text_of_table)
    monkeypatch.setenv("GPUPIPE_PRICES", str(path))
    with pytest.raises(UsageError, match="cannot be used"):
        prices("us-central1")
    path.write_text('as_of="1"\nsource="s"\ncurrency="EUR"\n[region.mine]\ncpu_second = 2')
    assert prices("mine").cpu == 2
