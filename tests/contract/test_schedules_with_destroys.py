"""Deploys and destroys that are killed and troubled as a schedule says, in any order.

In process, on a fast clock, each on a project of its own. The short run plays the same schedules
every time, the long one always others.
"""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import FastClock
from tests.support.schedules import Act, Command, Schedule, play, schedules

_numbers = itertools.count(1)
SCHEDULES = schedules(Command.DEPLOY, Command.DESTROY)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("schedules") / "cloud", clock=FastClock())
    yield running
    running.stop()


@settings(max_examples=10, derandomize=True, deadline=None, database=None)
@given(schedule=SCHEDULES)
def test_schedules_of_deploys_and_destroys(cloud: RunningCloud, schedule: Schedule) -> None:
    play(cloud, f"schedules-{next(_numbers)}", schedule)


def test_what_shows_only_after_the_plan_of_a_destroy_is_removed_too(cloud: RunningCloud) -> None:
    """Found by a long run: the account of a deploy that was cut off becomes visible meanwhile."""
    cut_off, destroyed = Act(Command.DEPLOY, killed_after=1), Act(Command.DESTROY)
    schedule = Schedule((cut_off, destroyed), propagation_s=5.0)
    for number in range(3):
        play(cloud, f"late-{number}", schedule)


@pytest.mark.long
@settings(max_examples=350, deadline=None, database=None, print_blob=True)
@given(schedule=SCHEDULES)
def test_many_schedules_of_deploys_and_destroys(cloud: RunningCloud, schedule: Schedule) -> None:
    play(cloud, f"many-{next(_numbers)}", schedule)
