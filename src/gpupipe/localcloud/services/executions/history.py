"""The step entries of executions: what ran, when and how it ended.

Those of a run are in memory until they have ended, then in the database of logs, packed: an
execution may have 100,000. Also: which steps are at work now.
"""

import json
import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from gpupipe.core.clock import Clock
from gpupipe.localcloud.services.executions.call_log import CallLog
from gpupipe.localcloud.store.database import Database
from gpupipe.workflows.errors import WorkflowError, failure

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS step_entries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, execution TEXT NOT NULL, packed BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS step_entries_of ON step_entries (execution)",
)
_PACK = 500
_RUNNING, _SUCCEEDED, _FAILED, _CANCELLED = (
    f"STATE_{word}" for word in ("IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELLED")
)
_PROGRESS = {
    "STEP_FOR_ITERATION": "PROGRESS_TYPE_FOR",
    "STEP_PARALLEL_BRANCH_ENTRY": "PROGRESS_TYPE_PARALLEL_BRANCH",
}


@dataclass(slots=True)
class Entry:
    """One step entry; times in seconds since 1970, `exception` as JSON text."""

    id: int
    parent: int
    routine: str
    step: str
    kind: str
    number: int | None
    began: float
    ended: float
    state: str = _RUNNING
    exception: str = ""
    busy: int = 0
    """How many entries below it are at work."""

    def packed(self) -> list[Any]:
        """What is kept."""
        return [self.id, self.parent, self.routine, self.step, self.kind, self.number, self.began,
                self.ended, self.state, self.exception]  # fmt: skip

    @property
    def progress(self) -> str:
        """The type of progress that its number tells."""
        return _PROGRESS.get(self.kind, "")


class Histories:
    """The entries of all executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._running: dict[str, History] = {}
        database.define(*_SCHEMA)

    def begin(self, execution: str, writer: Executor, calls: CallLog) -> "History":
        """The history of a run that begins; on the loop."""
        history = History(
            self._clock, lambda entries: self._keep(execution, history, entries, writer), calls
        )
        self._running[execution] = history
        return history

    def end(self, execution: str, *, cancelled: bool) -> None:
        """A run has ended; on the loop. Its entries stay in memory until they are written."""
        history = self._running.get(execution)
        if history is not None:
            history.close(_CANCELLED if cancelled else _FAILED)
            self._let_go(execution, history)

    def current(self, execution: str) -> list[tuple[str, str]]:
        """Routine and step of what is at work in a run."""
        history = self._running.get(execution)
        return history.current() if history is not None else []

    def of(self, execution: str) -> list[Entry]:
        """The entries of an execution, by their ids."""
        # Memory first: what is not there any more when it is looked at is in the database by then.
        history = self._running.get(execution)
        unwritten = {entry.id: entry for entry in history.unwritten()} if history else {}
        rows = self._database.read().execute(
            "SELECT packed FROM step_entries WHERE execution=?", (execution,)
        )
        found = {
            entry[0]: Entry(*entry)
            for row in rows.fetchall()
            for entry in json.loads(zlib.decompress(row["packed"]))
        }
        found = {**unwritten, **found}
        return [found[at] for at in sorted(found)]

    def forget(self, execution: str) -> None:
        """Remove the entries of an execution that begins again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM step_entries WHERE execution=?", (execution,))

    def forget_all(self, workflow: str) -> None:
        """Remove the entries of every execution of a workflow."""
        beginning = f"{workflow}/executions/"
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM step_entries WHERE substr(execution, 1, ?)=?",
                (len(beginning), beginning),
            )

    def _keep(
        self, execution: str, history: "History", entries: list[Entry], writer: Executor
    ) -> None:
        packed = zlib.compress(json.dumps([entry.packed() for entry in entries]).encode())

        def write() -> None:
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT INTO step_entries (execution, packed) VALUES (?, ?)",
                    (execution, packed),
                )
            history.wrote(entries)
            self._let_go(execution, history)

        writer.submit(write)

    def _let_go(self, execution: str, history: "History") -> None:
        if history.is_written and self._running.get(execution) is history:
            self._running.pop(execution, None)


class History:
    """The entries of one run. It is written on the loop, and may be read in any thread."""

    def __init__(self, clock: Clock, keep: Callable[[list[Entry]], None], calls: CallLog) -> None:
        self._clock = clock
        self._keep = keep
        self.calling, self.called = calls.calling, calls.called
        self._last = 0
        self._open: dict[int, Entry] = {}
        self._ended: list[Entry] = []
        self._pending: dict[int, list[Entry]] = {}
        self._closed = False
        self._at = ("", "")

    def began(self, parent: int, routine: str, step: str, kind: str, number: int | None, /) -> int:
        """A new entry."""
        self._last += 1
        now = self._clock.now().timestamp()
        self._open[self._last] = Entry(self._last, parent, routine, step, kind, number, now, now)
        if parent in self._open:
            self._open[parent].busy += 1
        self._at = routine, step
        return self._last

    def ended(self, number: int, error: WorkflowError | None, /) -> None:
        """Its end."""
        self._close(number, _SUCCEEDED if error is None else _FAILED)
        if error is not None:
            self._ended[-1].exception = failure(error).payload
        if len(self._ended) >= _PACK:
            self._flush()

    def close(self, state: str) -> None:
        """The run has ended; what is still open has this state now."""
        for number in sorted(self._open, reverse=True):
            self._close(number, state)
        self._closed = True
        self._flush()

    def wrote(self, entries: list[Entry]) -> None:
        """These are in the database now."""
        del self._pending[id(entries)]

    @property
    def is_written(self) -> bool:
        """Whether it has ended and nothing of it is here alone."""
        return self._closed and not self._pending and not self._ended

    def current(self) -> list[tuple[str, str]]:
        """Routine and step of what is at work; of what began last where nothing is."""
        busy = [(one.routine, one.step) for one in list(self._open.values()) if not one.busy]
        return list(dict.fromkeys(busy)) or ([self._at] if self._at[0] else [])

    def unwritten(self) -> list[Entry]:
        """The entries that are here and not in the database, maybe; some twice."""
        # In the order in which an entry goes on, so that none slips through between two looks.
        found = [*self._open.copy().values(), *self._ended.copy()]
        return [*found, *(one for entries in list(self._pending.values()) for one in entries)]

    def _close(self, number: int, state: str) -> None:
        entry = self._open[number]
        entry.ended, entry.state = self._clock.now().timestamp(), state
        if entry.parent in self._open:
            self._open[entry.parent].busy -= 1
        self._ended.append(entry)
        del self._open[number]

    def _flush(self) -> None:
        if self._ended:
            entries = self._ended
            self._pending[id(entries)] = entries
            self._ended = []
            self._keep(entries)
