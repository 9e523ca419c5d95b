"""A deploy that is cut off at any of its writes is finished by running it again.

In process, on a fast clock. Which calls write is read from the local cloud's request log, so a step
that is new is met here without a line of its own.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.crashes import Deaths, Killed, Moment, Point, bury, mortal, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.proofs import check_complete, check_gone, foreign, latest, writes_since

_numbers = itertools.count(1)
MOST_LIVES = 200


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("crashes") / "cloud", clock=FastClock())
    yield running
    running.stop()


def new_deployer(cloud: RunningCloud) -> Deployer:
    """Works on a project of its own, one call after the other."""
    return tiny_deployer(cloud, f"crashes-{next(_numbers)}", parallelism=1)


@pytest.fixture
def deployer(cloud: RunningCloud) -> Deployer:
    return new_deployer(cloud)


@dataclass(frozen=True)
class Clean:
    """A deploy that nobody disturbed: its writes by method, and the method of each point that wrote."""

    writes: Counter[str]
    writing: dict[Point, str]


@pytest.fixture(scope="module")
def clean(cloud: RunningCloud) -> Clean:
    deployer = new_deployer(cloud)
    foreign(deployer)
    before, caller = latest(cloud), mortal(deployer)
    done = deployer.deploy(canary=False, caller=caller)
    assert not done.outcome.failed, done.outcome
    return Clean(writes_since(cloud, before), caller.writing)


def without_objects(writes: Counter[str]) -> dict[str, int]:
    """What a deploy makes, each with how often; the lease and the sources each life writes itself."""
    return {
        method: times
        for method, times in writes.items()
        if not method.startswith(("storage.objects.", "control."))
    }


def deploy_dying(deployer: Deployer, deaths: Deaths) -> None:
    """Deploy again and again until nobody dies any more."""
    while True:
        try:
            done = deployer.deploy(canary=False, caller=mortal(deployer, deaths))
        except Killed:
            assert len(deaths.points) < MOST_LIVES
            bury(deployer)
        else:
            assert not done.outcome.failed, done.outcome
            return


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(Moment.BEFORE, marks=pytest.mark.long),
        pytest.param(Moment.DURING, marks=pytest.mark.long),
        Moment.AFTER,
    ],
)
def test_deploys_that_are_killed_at_each_of_their_writes(
    deployer: Deployer, clean: Clean, moment: Moment
) -> None:
    cloud, deaths = deployer.cloud, Deaths(moment, clean.writing)
    theirs, before = foreign(deployer), latest(deployer.cloud)
    deploy_dying(deployer, deaths)
    # Each write was the last of one life, and nothing was made twice or built again.
    made = without_objects(writes_since(cloud, before))
    assert made == without_objects(clean.writes)
    if moment is Moment.DURING:
        assert {clean.writing[point] for point in deaths.points} >= {
            "artifactregistry.repositories.create",
            "eventarc.triggers.create",
            "run.services.create",
            "workflows.workflows.create",
        }
    else:
        # Of what the API names, or of one step, the first write stands for all.
        alike = ("monitoring.alertPolicies.create", "logging.logMetrics.create")
        others = sum(made[method] - 1 for method in alike)
        assert len(deaths.points) >= sum(made.values()) - others
    check_complete(deployer)
    check_gone(deployer)
    assert foreign(deployer) == theirs


def test_a_deploy_that_loses_one_answer_of_every_kind(deployer: Deployer, clean: Clean) -> None:
    """The write was done, and the connection broke before its answer came."""
    cloud, theirs = deployer.cloud, foreign(deployer)
    before = latest(cloud)
    for method in clean.writes:
        cloud.control("POST", "faults", {"kind": "lost", "method": method})
    try:
        assert not deployer.deploy(canary=False).outcome.failed
        faults = cloud.control("GET", "faults")["faults"]
    finally:
        cloud.control("DELETE", "faults")
    assert {fault["method"]: fault["left"] for fault in faults} == dict.fromkeys(clean.writes, 0)
    check_complete(deployer)
    made = without_objects(writes_since(cloud, before))
    assert made["cloudbuild.builds.create"] == 3, made
    check_gone(deployer)
    assert foreign(deployer) == theirs


def test_a_deploy_that_is_killed_while_its_apis_take_effect(deployer: Deployer) -> None:
    """The next one finds them enabled, and what they are called for refused."""
    behaviour, deaths = deployer.cloud.kernel.behaviour, Deaths()
    behaviour.propagation_s = 10.0
    try:
        with pytest.raises(Killed):
            deployer.deploy(canary=False, caller=mortal(deployer, deaths))
        done = deployer.deploy(canary=False)
    finally:
        behaviour.propagation_s = 0.0
    assert [what for what, _ in deaths.points] == ["Enabling APIs"]
    assert not done.outcome.failed, done.outcome
