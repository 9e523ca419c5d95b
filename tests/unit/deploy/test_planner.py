"""The planner: every step observed, decided in the order of the table, and nothing written."""

import threading
from typing import Any, ClassVar

import pytest

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Change, Verb, differences
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.ownership import NotOursError
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.planner import observe, plan
from gpupipe.deploy.step import World, decide, role_changes


class Thing:
    """A step over a dictionary; applying or removing it fails the test."""

    kind: ClassVar[str] = "thing"
    phase = Phase.SERVICES
    needs = ()

    def __init__(self, key: str, there: Any = None, wanted: Any = "right", log: Any = None) -> None:
        self.key, self._there, self._wanted = key, there, wanted
        self._log = log if log is not None else []

    def name(self, world: World) -> str:
        return f"name of {self.key}"

    def observe(self, world: World) -> Any:
        self._log.append(self.key)
        if isinstance(self._there, Exception):
            raise self._there
        return self._there

    def diff(self, world: World, observed: Any) -> Action:
        changes = differences({"value": self._wanted}, {"value": observed}) if observed else ()
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        raise AssertionError("a plan writes nothing")

    def remove(self, world: World) -> None:
        raise AssertionError("a plan writes nothing")


WORLD = World(cloud=None, spec=None, facts=Facts())  # type: ignore[arg-type]  # no step here asks


@pytest.mark.parametrize("parallelism", [1, 4])
def test_one_action_a_step_in_the_order_of_the_table(parallelism: int) -> None:
    steps = [Thing("absent"), Thing("wrong", "left"), Thing("right", "right")]
    found = plan(WORLD, steps, parallelism=parallelism)
    assert [(one.step, one.verb) for one in found.actions] == [
        ("absent", Verb.CREATE),
        ("wrong", Verb.UPDATE),
        ("right", Verb.KEEP),
    ]
    assert [one.step for one in found.writes] == ["absent", "wrong"]
    assert found.observed == {"absent": None, "wrong": "left", "right": "right"}


def test_every_action_says_why() -> None:
    steps = [Thing("absent"), Thing("wrong", "left"), Thing("right", "right")]
    found = plan(WORLD, steps, parallelism=1)
    assert [one.reason for one in found.actions] == [
        "it does not exist",
        "it differs: value",
        "it is as it should be",
    ]
    assert found.actions[1].changes == (Change("value", "left", "right"),)
    assert found.actions[1].name == "name of wrong"


class Unwanted(Thing):
    """What the configuration does not ask for any more."""

    def is_wanted(self, spec: Any) -> bool:
        return False


def test_what_is_not_asked_for_any_more_is_deleted_last_and_backwards() -> None:
    theirs = NotOursError("of others", resource="x", resolution="none", doc="x.md")
    steps = [
        Unwanted("first", "there"),
        Thing("absent"),
        Unwanted("gone"),
        Unwanted("theirs", theirs),
        Unwanted("second", "there"),
    ]
    found = plan(WORLD, steps, parallelism=1)
    assert [(one.step, one.verb) for one in found.actions] == [
        ("absent", Verb.CREATE),
        ("second", Verb.DELETE),
        ("first", Verb.DELETE),
    ]
    with pytest.raises(NotOursError):
        plan(WORLD, [Thing("theirs", theirs)], parallelism=1)


def test_one_at_a_time_reads_in_the_order_of_the_table() -> None:
    log: list[str] = []
    observe(WORLD, [Thing(key, log=log) for key in "cab"], parallelism=1)
    assert log == ["c", "a", "b"]


def test_reads_run_together() -> None:
    both = threading.Barrier(2, timeout=10)

    class Meets(Thing):
        def observe(self, world: World) -> Any:
            both.wait()
            return None

    assert observe(WORLD, [Meets("a"), Meets("b")], parallelism=2) == {"a": None, "b": None}


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_read_that_fails_ends_the_plan(parallelism: int) -> None:
    refused = GpupipeError("No.", resolution="Do.", doc="reference/errors.md")
    steps = [Thing("a"), Thing("b", refused)]
    with pytest.raises(GpupipeError, match=r"No\."):
        plan(WORLD, steps, parallelism=parallelism)


def test_only_wanted_fields_are_compared_and_shown_as_text() -> None:
    changes = differences(
        {"same": 1, "number": 2, "labels": {"b": "2", "a": "1"}, "set": frozenset({"y", "x"}), "gone": None},
        {"same": 1, "number": 3, "labels": {}, "set": (), "gone": "x", "theirs": "kept"},
    )  # fmt: skip
    assert changes == (
        Change("number", "3", "2"),
        Change("labels", "(empty)", "a=1, b=2"),
        Change("set", "(empty)", "x, y"),
        Change("gone", "x", "(none)"),
    )


OURS, THEIRS = "serviceAccount:ours@p.iam.gserviceaccount.com", "user:them@example.com"


def test_going_back_to_a_default_is_said() -> None:
    wanted, seen = {"max": 10, "cpu": "4"}, {"max": 5, "cpu": "2"}
    changes = differences(wanted, seen, defaults={"max"})
    assert [str(change) for change in changes] == [
        "max: 5 -> 10 (default, not set in gpupipe.toml)",
        "cpu: 2 -> 4",
    ]


def test_bindings_of_others_are_not_judged() -> None:
    wanted = {("roles/a", OURS)}
    assert role_changes(wanted, {("roles/a", OURS), ("roles/b", THEIRS)}, {OURS}) == ()
    [change] = role_changes(wanted, {("roles/b", OURS)}, {OURS})
    assert (change.field, change.old, change.new) == ("roles", "ours roles/b", "ours roles/a")
    [missing] = role_changes(wanted, {("roles/a", THEIRS)}, {OURS})
    assert missing.old == "(none)"
