"""Which revisions a rollback takes, of services that were rolled out together and apart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.run import NEWEST, Observed, Revision, Traffic
from gpupipe.core.config import load
from gpupipe.core.errors import GpupipeError
from gpupipe.core.flags import Flags
from gpupipe.core.names import SERVICES, Names
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.releases import REJECTED, RELEASE
from gpupipe.deploy.rollback import Rollback, plan_rollback
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World

SPEC = PipelineSpec(Names("demo-project", "us-central1", "mine"), load(Flags(), {}, Path("/none")))
BEGAN = datetime(2026, 1, 31, tzinfo=UTC)
History = dict[str, tuple[tuple[str, int], ...]]
"""Service -> its releases, newest first, each with the minute when its revision was made."""


def world(history: History, rejected: str = "", serving: str = "") -> World:
    """Services with these releases, of which one may be rejected and another one serve."""
    found, revisions = {}, {}
    for service in SERVICES:
        made = history.get(service, ())
        name = SPEC.service_name(service)
        revisions[name] = tuple(
            Revision(
                f"{service}-{release}",
                {RELEASE: release},
                BEGAN + timedelta(minutes=minute),
                ready=True,
                unhealthy=False,
            )
            for release, minute in made
        )
        newest = made[0][0]
        spoilt = newest == rejected
        wanted = replace(
            SPEC.service(service, "image", 1),
            labels={**SPEC.labels, **({REJECTED: f"{rejected}_canary"} if spoilt else {})},
            revision_labels={RELEASE: newest},
        )
        traffic: Traffic = ((f"{service}-{serving}", 100),) if spoilt else NEWEST
        last = f"{service}-{newest}"
        found[name] = Observed(wanted, "", True, False, "", last, last, traffic)
    run = SimpleNamespace(get=found.get, revisions=revisions.__getitem__)
    return World(cast("Cloud", SimpleNamespace(run=run)), SPEC, Facts())


def traffic(planned: Rollback) -> dict[str, Any]:
    return {one.name.rpartition("/mine-")[2]: one.traffic for one in planned.turns}


TOGETHER: History = {
    "preprocess": (("r2", 10), ("r1", 1)),
    "gpu-inference": (("r1", 3),),
    "postprocess": (("r2", 12), ("r1", 2)),
}
APART: History = {
    "preprocess": (("r2", 10), ("r1", 1)),
    "gpu-inference": (("r1", 3),),
    "postprocess": (("r3", 20), ("r1", 2)),
}


def test_services_that_were_rolled_out_together_go_back_together() -> None:
    planned = plan_rollback(world(TOGETHER), None)
    assert planned.to == "r1"
    assert traffic(planned) == {
        "preprocess": (("preprocess-r1", 100),),
        "postprocess": (("postprocess-r1", 100),),
    }
    assert {one.rejected for one in planned.turns} == {"r2"}


def test_one_goes_back_where_only_one_was_rolled_out() -> None:
    planned = plan_rollback(world(APART), None)
    assert (planned.to, traffic(planned)) == ("r2", {"postprocess": (("postprocess-r1", 100),)})
    assert set(traffic(plan_rollback(world(APART), "r1"))) == {"preprocess", "postprocess"}
    assert plan_rollback(world(APART), "r3").turns == ()
    assert [one.name for one in planned.known] == ["r3", "r2", "r1"]


def test_what_was_rejected_is_taken_when_it_is_asked_for_by_name() -> None:
    planned = plan_rollback(world(TOGETHER, rejected="r2", serving="r1"), "r2")
    assert traffic(planned) == {"preprocess": NEWEST, "postprocess": NEWEST}
    assert {one.rejected for one in planned.turns} == {""}


def test_what_was_rejected_is_no_part_of_a_later_release() -> None:
    history = {**TOGETHER, "gpu-inference": (("r3", 30), ("r1", 3))}
    planned = plan_rollback(world(history, rejected="r2", serving="r1"), "r3")
    assert planned.turns == ()


def test_before_the_first_release_there_is_none() -> None:
    with pytest.raises(GpupipeError, match="no earlier release"):
        plan_rollback(world(TOGETHER, rejected="r2", serving="r1"), None)
