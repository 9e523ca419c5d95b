"""The executor: order, parallelism, failure and interruption."""

import threading
from datetime import UTC, datetime

import pytest

from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Event, Failed, Finished, Skipped, Started
from gpupipe.deploy.executor import INTERRUPTED, Executor, Outcome
from gpupipe.deploy.phase import Phase


class StillClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")


def action(step: str) -> Action:
    return Action(step, Phase.FOUNDATIONS, "thing", step, Verb.CREATE, "it does not exist")


class Log:
    """Collects events and can be asked for their order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[str]:
        return [event.action.step for event in self.events if isinstance(event, kind)]


def executor(
    log: Log,
    needs: dict[str, tuple[str, ...]],
    parallelism: int = 4,
    cancel: threading.Event | None = None,
    *,
    go_on: bool = False,
) -> Executor:
    return Executor(
        clock=StillClock(),
        report=log,
        parallelism=parallelism,
        cancel=cancel or threading.Event(),
        needs=needs,
        go_on=go_on,
    )


def test_one_at_a_time_keeps_the_order_of_the_plan() -> None:
    log, applied = Log(), list[str]()
    outcome = executor(log, {"b": ("a",)}, parallelism=1).run(
        [action("a"), action("b"), action("c")], lambda one: applied.append(one.step)
    )
    assert applied == ["a", "b", "c"]
    assert not outcome.failed
    assert log.of(Finished) == ["a", "b", "c"]


def test_what_needs_nothing_pending_runs_at_once() -> None:
    together = threading.Barrier(2, timeout=10)
    log = Log()
    outcome = executor(log, {"c": ("a", "b")}).run(
        [action("a"), action("b"), action("c")],
        lambda one: None if one.step == "c" else (together.wait(), None)[1],
    )
    assert [one.step for one in outcome.done][-1] == "c"
    assert log.of(Started)[-1] == "c"


def test_a_failure_skips_dependants_and_nothing_else() -> None:
    log = Log()

    def apply(one: Action) -> None:
        if one.step == "a":
            raise GpupipeError("a broke", resolution="mend it", doc="x.md")

    outcome = executor(log, {"b": ("a",), "c": ("b",)}).run(
        [action("a"), action("b"), action("c"), action("d")], apply
    )
    assert [one.step for one in outcome.done] == ["d"]
    assert log.of(Failed) == ["a"]
    assert sorted(log.of(Skipped)) == ["b", "c"]
    reasons = {one.step: reason for one, reason in outcome.skipped}
    assert "needs a" in reasons["b"]
    assert outcome.failed


def test_where_it_is_asked_for_a_run_goes_on_after_a_failure_in_the_same_order() -> None:
    log, applied = Log(), list[str]()

    def apply(one: Action) -> None:
        applied.append(one.step)
        if one.step == "a":
            raise GpupipeError("a broke", resolution="mend it", doc="x.md")

    outcome = executor(log, {"a": ("z",), "b": ("a",)}, go_on=True).run(
        [action("b"), action("a"), action("z")], apply
    )
    assert applied == ["z", "a", "b"]
    assert [one.step for one in outcome.done] == ["z", "b"]
    assert log.of(Failed) == ["a"]
    assert outcome.skipped == []


def test_a_cancelled_run_begins_nothing_new() -> None:
    log, cancel = Log(), threading.Event()
    outcome = executor(log, {}, parallelism=1, cancel=cancel).run(
        [action("a"), action("b")], lambda _: cancel.set()
    )
    assert [one.step for one in outcome.done] == ["a"]
    assert outcome.skipped == [(action("b"), INTERRUPTED)]


def test_an_error_that_is_a_bug_is_not_swallowed() -> None:
    def apply(_: Action) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        executor(Log(), {}).run([action("a")], apply)


@pytest.mark.promise("S25")
def test_the_exit_code_is_the_one_that_all_errors_have() -> None:
    def failed(code: Exit) -> tuple[Action, GpupipeError]:
        return action("a"), GpupipeError("x", resolution="y", doc="z", exit=code)

    assert Outcome().exit is Exit.DONE
    assert Outcome(skipped=[(action("a"), "b")]).exit is Exit.FAILED
    denied = failed(Exit.CREDENTIALS)
    assert Outcome(errors=[denied, denied], skipped=[(action("b"), "a")]).exit is Exit.CREDENTIALS
    assert Outcome(errors=[denied, failed(Exit.FAILED)]).exit is Exit.FAILED
