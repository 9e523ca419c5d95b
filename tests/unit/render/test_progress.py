"""A run's events without a terminal: one plain line an event."""

import io

import pytest
from rich.console import Console
from tests.support.clock import FakeClock

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Event, Failed, Finished, Skipped, Started, Waiting
from gpupipe.deploy.phase import Phase
from gpupipe.render.progress import line, progress

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


def test_on_a_terminal_the_table_shows_phase_step_and_state() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    with progress(console, [action()], FakeClock()) as report:
        report(Started(action()))
        report(Finished(action(), 1.5))
    text = out.getvalue()
    for part in ("Foundations", "bucket b", "created", "1.5 s"):
        assert part in text
