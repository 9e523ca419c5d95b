"""Schedules of a pipeline that shares its project with another one, which goes on undisturbed.

As `test_schedules_of_deploys`, each with a prefix of its own.
"""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.proofs import check_complete
from tests.support.schedules import Command, Schedule, play, schedules

_numbers = itertools.count(1)
SCHEDULES = schedules(Command.DEPLOY, Command.DESTROY)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """The other pipeline."""
    cloud = start_cloud(tmp_path_factory.mktemp("beside") / "cloud", clock=FastClock())
    deployer = tiny_deployer(cloud, "shared-project", prefix="other")
    assert not deployer.deploy(canary=False).outcome.failed
    yield deployer
    cloud.stop()


@settings(max_examples=10, derandomize=True, deadline=None, database=None)
@given(schedule=SCHEDULES)
def test_schedules_beside_another_pipeline(other: Deployer, schedule: Schedule) -> None:
    play(other.cloud, other.project, schedule, f"beside-{next(_numbers)}")
    check_complete(other)


@pytest.mark.long
@settings(max_examples=300, deadline=None, database=None, print_blob=True)
@given(schedule=SCHEDULES)
def test_many_schedules_beside_another_pipeline(other: Deployer, schedule: Schedule) -> None:
    play(other.cloud, other.project, schedule, f"crowd-{next(_numbers)}")
    check_complete(other)
