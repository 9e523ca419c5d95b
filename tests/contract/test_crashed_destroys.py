"""A destroy that is cut off at any of its writes is finished by running it again.

As `test_crashes`. One deploys again what the next one destroys.
"""

from collections.abc import Iterator

import pytest
from tests.support.crashes import (
    Deaths,
    Killed,
    Moment,
    Point,
    destroy_all,
    mortal,
    tiny_deployer,
    wait_out_lease,
)
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.proofs import check_complete, foreign

from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.leftovers import Leftover

MOST_LIVES = 200


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("destroys") / "cloud", clock=FastClock())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def writing(cloud: RunningCloud) -> dict[Point, str]:
    """The method of each point that writes in a destroy that nobody disturbs."""
    deployer = tiny_deployer(cloud, "undisturbed", parallelism=1)
    assert not deployer.deploy(canary=False).outcome.failed
    caller = mortal(deployer)
    outcome, leftovers = destroy_all(deployer, deployer.connect(caller))
    assert not outcome.failed, outcome
    assert leftovers == ()
    return caller.writing


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(Moment.BEFORE, marks=pytest.mark.long),
        pytest.param(Moment.DURING, marks=pytest.mark.long),
        Moment.AFTER,
    ],
)
@pytest.mark.promise(4)
def test_destroys_that_are_killed_at_each_of_their_writes(
    cloud: RunningCloud, writing: dict[Point, str], moment: Moment
) -> None:
    deployer = tiny_deployer(cloud, f"killed-{moment}", parallelism=1)
    theirs = foreign(deployer)
    assert not deployer.deploy(canary=False).outcome.failed
    deaths = Deaths(moment, writing)
    outcome, leftovers = destroy_dying(deployer, deaths)
    assert not outcome.failed, outcome
    assert leftovers == ()
    if moment is Moment.DURING:
        assert {writing[point] for point in deaths.points} >= {
            "artifactregistry.repositories.delete",
            "eventarc.triggers.delete",
            "run.services.delete",
            "workflows.workflows.delete",
        }
    else:
        assert len(deaths.points) > len(deployer.steps) - 8
    assert foreign(deployer) == theirs


def destroy_dying(deployer: Deployer, deaths: Deaths) -> tuple[Outcome, tuple[Leftover, ...]]:
    """Destroy again and again until nobody dies any more."""
    while True:
        try:
            return destroy_all(deployer, deployer.connect(mortal(deployer, deaths)))
        except Killed:
            assert len(deaths.points) < MOST_LIVES
            wait_out_lease(deployer.cloud)


def test_what_was_destroyed_half_way_is_deployed_again(cloud: RunningCloud) -> None:
    deployer = tiny_deployer(cloud, "half-way", parallelism=1)
    assert not deployer.deploy(canary=False).outcome.failed
    deaths = Deaths()
    for _ in range(6):
        with pytest.raises(Killed):
            destroy_all(deployer, deployer.connect(mortal(deployer, deaths)))
        wait_out_lease(cloud)
    assert not deployer.deploy(canary=False).outcome.failed
    check_complete(deployer)
