"""A run's events as a live table on a terminal, or one plain line an event elsewhere.

Both show the same: phase, step, state, seconds, and what is being waited for.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gpupipe.core.clock import Clock
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Event, Failed, Finished, Report, Skipped, Started, Waiting

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


class _Board:
    """The live table: one row an action, grouped by phase."""

    def __init__(self, actions: Sequence[Action], clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._rows = {action.step: _Row(action) for action in actions}
        self._spinner = Spinner("dots")

    def tell(self, event: Event) -> None:
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

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for width in (2, None, 10, 8):
            table.add_column(min_width=width or 0, no_wrap=True)
        table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
        with self._guard:
            phase = None
            for row in self._rows.values():
                if row.action.phase is not phase:
                    phase = row.action.phase
                    table.add_row("", Text(phase.title, style="bold"), "", "", "")
                table.add_row(*self._cells(row))
        return table

    def _cells(self, row: _Row) -> tuple[Spinner | Text, Text, Text, Text, Text]:
        running = row.began is not None and row.elapsed is None and row.style == "cyan"
        seconds = row.elapsed
        if running and row.began is not None:
            seconds = self._clock.monotonic() - row.began
        return (
            self._spinner if running else Text(""),
            Text(label(row.action)),
            Text(row.state, style=row.style),
            Text("" if seconds is None else f"{seconds:.1f} s", justify="right"),
            Text(row.note, style="dim"),
        )


@contextmanager
def progress(console: Console, actions: Sequence[Action], clock: Clock) -> Iterator[Report]:
    """A `Report` that shows events while the block runs."""
    if not console.is_terminal:
        yield lambda event: console.print(line(event), markup=False)
        return
    board = _Board(actions, clock)
    with Live(board, console=console, refresh_per_second=8):
        yield board.tell
