"""A run's events as a live table on a terminal, or one plain line an event elsewhere.

Both show the same: phase, step, state, seconds, and what is being waited for.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from gpupipe.core.clock import Clock
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Event, Failed, Finished, Report, Skipped, Started, Waiting
from gpupipe.deploy.phase import Phase
from gpupipe.render.console import say

LOOKING = "Reading what is there"
_TOLD_EVERY_S = 10.0
_MARGIN = 1  # the window's last line, where the cursor stands
_DOING = {
    Verb.CREATE: "creating",
    Verb.UPDATE: "updating",
    Verb.REPLACE: "replacing",
    Verb.DELETE: "deleting",
    Verb.KEEP: "keeping",
}
_DONE = {
    Verb.CREATE: "created",
    Verb.UPDATE: "updated",
    Verb.REPLACE: "replaced",
    Verb.DELETE: "deleted",
    Verb.KEEP: "kept",
}


def label(action: Action) -> str:
    """A resource as people name it: kind and name."""
    return f"{action.kind} {action.name}"


def line(event: Event) -> str:
    """One event as a line of plain text."""
    action = event.action
    match event:
        case Started():
            return f"{_DOING[action.verb]} {label(action)}"
        case Waiting(what=what, elapsed_s=elapsed, deadline_s=deadline):
            return (
                f"waiting for {what}, {elapsed:.0f} s of {deadline / 60:.0f} min ({label(action)})"
            )
        case Finished(elapsed_s=elapsed):
            return f"{_DONE[action.verb]} {label(action)} ({elapsed:.1f} s)"
        case Failed(error=error, elapsed_s=elapsed):
            return f"FAILED {label(action)} ({elapsed:.1f} s): {error.brief}"
        case Skipped(reason=reason):
            return f"skipped {label(action)}: {reason}"


@dataclass(slots=True)
class _Row:
    action: Action
    state: str = "waits"
    style: str = "dim"
    note: str = ""
    began: float | None = None
    elapsed: float | None = None

    @property
    def ended(self) -> float | None:
        """When it ended, on the board's clock; None before."""
        if self.began is None or self.elapsed is None:
            return None
        return self.began + self.elapsed

    @property
    def begun(self) -> bool:
        return self.state != "waits"

    @property
    def done(self) -> bool:
        return self.style == "green"

    @property
    def running(self) -> bool:
        return self.began is not None and self.elapsed is None and self.style == "cyan"


class Board:
    """The live view: a line a phase; below a phase at work, its steps, as many as the window holds."""

    def __init__(self, actions: Sequence[Action], clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._rows = {action.step: _Row(action) for action in actions}
        self._spinner = Spinner("dots", style="cyan")

    def tell(self, event: Event) -> None:
        """Take an event in; the view follows when it is drawn next."""
        with self._guard:
            row = self._rows.setdefault(event.action.step, _Row(event.action))
            verb = event.action.verb
            match event:
                case Started():
                    row.state, row.style, row.began = _DOING[verb], "cyan", self._clock.monotonic()
                case Waiting(what=what, elapsed_s=elapsed, deadline_s=deadline):
                    row.note = f"waiting for {what}, {elapsed:.0f} s of {deadline / 60:.0f} min"
                case Finished(elapsed_s=elapsed):
                    row.state, row.style, row.elapsed, row.note = _DONE[verb], "green", elapsed, ""
                case Failed(error=error, elapsed_s=elapsed):
                    row.state, row.style, row.elapsed = "FAILED", "bold red", elapsed
                    row.note = error.brief
                case Skipped(reason=reason):
                    row.state, row.style, row.note = "skipped", "yellow", reason

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        now = self._clock.monotonic()
        with self._guard:
            # In the order in which they come first: a destroy goes the other way.
            phases: dict[Phase, list[_Row]] = {}
            for row in self._rows.values():
                phases.setdefault(row.action.phase, []).append(row)
            shown = self._shown(phases, console.size.height - _MARGIN)
            turning = self._spinner.render(console.get_time())
            mark = turning if isinstance(turning, Text) else Text("*")
            for phase, rows in phases.items():
                yield _phase_line(phase, rows, now, mark)
                for row in rows:
                    if row.action.step in shown:
                        yield from _step_lines(row, now, mark)

    @staticmethod
    def _shown(phases: Mapping[Phase, list[_Row]], height: int) -> set[str]:
        """The steps that get lines: all of the phases at work if they fit, else what is at work."""
        at_work = [
            row
            for rows in phases.values()
            if any(row.begun for row in rows) and not all(row.done for row in rows)
            for row in rows
        ]
        lines = len(phases) + sum(2 if row.note else 1 for row in at_work)
        if lines > height:
            at_work = [row for row in at_work if row.begun and not row.done]
        return {row.action.step for row in at_work}


def _phase_line(phase: Phase, rows: Sequence[_Row], now: float, mark: Text) -> Text:
    """Where a phase stands: `✓ Images  3 of 3  56.4 s`."""
    began = min((row.began for row in rows if row.began is not None), default=None)
    done = sum(1 for row in rows if row.done)
    running = any(row.running for row in rows)
    bad = any(row.begun and not row.done and not row.running for row in rows)
    line = Text(no_wrap=True, overflow="ellipsis")
    if running:
        line.append_text(mark)
    elif bad:
        line.append("✗", "bold red")
    else:
        line.append("✓" if done == len(rows) else "·", "green" if done == len(rows) else "dim")
    line.append(f" {phase.title:26}", "bold")
    line.append(f"{done:>3} of {len(rows):<3}", "green" if done == len(rows) else "dim")
    if began is not None:
        ended = now if running else max(row.ended for row in rows if row.ended is not None)
        line.append(f"{ended - began:>8.1f} s", "dim")
    return line


def _step_lines(row: _Row, now: float, mark: Text) -> Iterator[Text]:
    """A step: state, seconds, name; below it what is waited for, or why it was not done."""
    seconds = now - row.began if row.running and row.began is not None else row.elapsed
    line = Text("  ", no_wrap=True, overflow="ellipsis")
    line.append_text(mark if row.running else Text(" "))
    line.append(f" {row.state:9}", row.style)
    line.append(f" {'' if seconds is None else f'{seconds:.1f} s':>8}  ", "dim")
    line.append(label(row.action))
    yield line
    if row.note:
        yield Text(f"{'':24}{row.note}", style="dim", no_wrap=True, overflow="ellipsis")


class _Lines:
    """A line an event. Of a wait for one thing a line every `_TOLD_EVERY_S`, not one a poll."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._guard = threading.Lock()
        self._told: dict[str, Waiting] = {}

    def tell(self, event: Event) -> None:
        with self._guard:
            if isinstance(event, Waiting) and not self._is_news(event):
                return
            say(self._console, line(event))

    def _is_news(self, event: Waiting) -> bool:
        last = self._told.get(event.action.step)
        if last and last.what == event.what and event.elapsed_s < last.elapsed_s + _TOLD_EVERY_S:
            return False
        self._told[event.action.step] = event
        return True


@contextmanager
def progress(console: Console, actions: Sequence[Action], clock: Clock) -> Iterator[Report]:
    """A `Report` that shows events while the block runs."""
    if not console.is_terminal:
        yield _Lines(console).tell
        return
    board = Board(actions, clock)
    with Live(board, console=console, refresh_per_second=8):
        yield board.tell


@contextmanager
def busy(console: Console, what: str) -> Iterator[None]:
    """A spinner beside `what` while the block runs; nothing where there is no terminal."""
    if not console.is_terminal:
        yield
        return
    with console.status(Text(what, style="dim")):
        yield
