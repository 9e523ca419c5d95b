"""A run's events without a terminal: one plain line an event."""

import io

import pytest
from rich.console import Console
from tests.support.clock import FakeClock

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Event, Failed, Finished, Skipped, Started, Waiting
from gpupipe.deploy.phase import Phase
from gpupipe.render.progress import Board, busy, line, progress

NO = GpupipeError("It failed [here].", resolution="Do.", doc="reference/errors.md")


def action(verb: Verb = Verb.CREATE) -> Action:
    return Action("bucket:input", Phase.FOUNDATIONS, "bucket", "b", verb, "why")


EVENTS: list[tuple[Event, str]] = [
    (Started(action()), "creating bucket b"),
    (Started(action(Verb.REPLACE)), "replacing bucket b"),
    (
        Waiting(action(), "the API to answer", 12.4, 300.0),
        "waiting for the API to answer, 12 s of 5 min (bucket b)",
    ),
    (Finished(action(Verb.DELETE), 1.26), "deleted bucket b (1.3 s)"),
    (Failed(action(), 2.0, NO), "FAILED bucket b (2.0 s): It failed [here]."),
    (Skipped(action(), "it needs x"), "skipped bucket b: it needs x"),
]


@pytest.mark.parametrize(("event", "text"), EVENTS)
def test_each_event_is_a_line(event: Event, text: str) -> None:
    assert line(event) == text


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_has_its_words(verb: Verb) -> None:
    assert line(Started(action(verb)))
    assert line(Finished(action(verb), 0.0))


def test_without_a_terminal_lines_are_written_word_for_word_as_they_come() -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)
    with progress(console, [action()], FakeClock()) as report:
        for event, _ in EVENTS:
            report(event)
    assert out.getvalue().splitlines() == [text for _, text in EVENTS]


def test_of_a_long_wait_a_line_is_written_now_and_then() -> None:
    out = io.StringIO()
    with progress(Console(file=out, width=200), [action()], FakeClock()) as report:
        for tenths in range(0, 301, 5):
            report(Waiting(action(), "the API to answer", tenths / 10, 300.0))
        report(Waiting(action(), "the role", 0.0, 60.0))
    assert [text.partition(" of ")[0] for text in out.getvalue().splitlines()] == [
        "waiting for the API to answer, 0 s",
        "waiting for the API to answer, 10 s",
        "waiting for the API to answer, 20 s",
        "waiting for the API to answer, 30 s",
        "waiting for the role, 0 s",
    ]


def board(*actions: Action) -> tuple[Board, FakeClock]:
    clock = FakeClock()
    return Board(actions, clock), clock


def seen(shown: Board, *, width: int = 80, height: int = 24) -> list[str]:
    """The board's lines in a window, without what turns."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(shown)
    return out.getvalue().splitlines()


def steps(phase: Phase, count: int) -> list[Action]:
    return [
        Action(f"{phase.name}:{index}", phase, "bucket", f"b{index}", Verb.CREATE, "why")
        for index in range(count)
    ]


def test_on_a_terminal_the_board_shows_phase_step_state_seconds_and_what_is_waited_for() -> None:
    one = action()
    shown, clock = board(one)
    assert [line.split() for line in seen(shown)] == [["·", "Foundations", "0", "of", "1"]]
    shown.tell(Started(one))
    shown.tell(Waiting(one, "the bucket [to] come", 12.4, 300.0))
    clock.sleep(12.5)
    phase, step, note = seen(shown)
    assert phase.split()[1:] == ["Foundations", "0", "of", "1", "12.5", "s"]
    assert step.split()[1:] == ["creating", "12.5", "s", "bucket", "b"]
    assert note.strip() == "waiting for the bucket [to] come, 12 s of 5 min"


def test_a_phase_that_is_done_is_one_line() -> None:
    one = action()
    shown, clock = board(one)
    shown.tell(Started(one))
    clock.sleep(1.5)
    shown.tell(Finished(one, 1.5))
    assert [line.split() for line in seen(shown)] == [
        ["✓", "Foundations", "1", "of", "1", "1.5", "s"]
    ]


def test_what_failed_and_what_was_skipped_stays_with_its_reason() -> None:
    one, two = steps(Phase.IMAGES, 2)
    shown, _ = board(one, two)
    shown.tell(Started(one))
    shown.tell(Failed(one, 2.0, NO))
    shown.tell(Skipped(two, "it needs b0"))
    text = "\n".join(seen(shown))
    for part in ("✗ Images", "FAILED", "It failed [here].", "skipped", "it needs b0"):
        assert part in text


@pytest.mark.parametrize("height", [24, 40])
def test_the_board_fits_the_window_and_shows_all_that_runs(height: int) -> None:
    actions = [one for phase in list(Phase)[:4] for one in steps(phase, 12)]
    shown, _ = board(*actions)
    for one in actions[:-8]:
        shown.tell(Started(one))
        if one is not actions[0]:
            shown.tell(Finished(one, 1.0))
    for one in actions[-8:]:
        shown.tell(Started(one))
        shown.tell(Waiting(one, "it", 1.0, 60.0))
    lines = seen(shown, height=height)
    assert len(lines) < height
    assert sum("creating" in line for line in lines) == 9


def test_a_run_on_a_terminal_ends_with_the_board() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with progress(console, [action()], FakeClock()) as report:
        report(Started(action()))
        report(Finished(action(), 1.5))
    assert "✓ Foundations" in out.getvalue()


def test_a_spinner_is_for_terminals_only() -> None:
    out = io.StringIO()
    with busy(Console(file=out, width=80), "Reading"):
        pass
    assert out.getvalue() == ""
