"""google.longrunning operations of all APIs: kept in the database, worked on in threads.

How long one takes at least, and whether it fails by injected fault, is asked of `Pace`; one whose
time has not come waits in the timers and holds no thread.

Names are the APIs' own ("projects/P/locations/L/operations/ID", "operations/..."), so they must be
unique over all APIs. An operation that was running when the process ended is continued by the
resumer that its service registered, else it ends as ABORTED.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message
from google.rpc import status_pb2

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition, not_found
from gpupipe.localcloud.kernel.clock import MovableClock
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.kernel.pace import Pace
from gpupipe.localcloud.kernel.status import status_of
from gpupipe.localcloud.kernel.timers import Timer, Timers
from gpupipe.localcloud.store.database import Database
from gpupipe.localcloud.store.paging import after_token, page_token

Work = Callable[["Progress"], Message]
Resumer = Callable[[Operation], Work | None]

_SCHEMA = """CREATE TABLE IF NOT EXISTS operations (
    name TEXT PRIMARY KEY, resource TEXT NOT NULL, done INTEGER NOT NULL, body BLOB NOT NULL)"""
_WORKERS = 32
_PAGE = 100
_INTERRUPTED = "interrupted: the local cloud was restarted"


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Operations in the order of their names, and the token of the next page ('' at the end)."""

    operations: tuple[Operation, ...]
    next_token: str


class Progress:
    """What a worker sees of its operation."""

    def __init__(self, name: str, publish: Callable[[str, Message], None]) -> None:
        self.name = name
        self.begins: Timer | None = None
        """What it waits for before its work begins."""
        self._publish = publish
        self._cancelled = threading.Event()

    def update(self, metadata: Message) -> None:
        """Replace the operation's metadata."""
        self._publish(self.name, metadata)

    def cancelled(self) -> bool:
        """Whether somebody asked for an end; work that can stop raises CANCELLED then."""
        return self._cancelled.is_set()

    def wait_cancelled(self, seconds: float) -> bool:
        """Wait for such a request, at most so many seconds; whether it came."""
        return self._cancelled.wait(seconds)

    def cancel(self) -> None:
        """Ask for an end; work that has not begun begins, to end in its own way."""
        self._cancelled.set()
        if self.begins is not None:
            self.begins.fire()

    def drop(self) -> None:
        """Work that has not begun never does."""
        if self.begins is not None:
            self.begins.cancel()


class Operations:
    """The operations of one local cloud; `recover` is called once the services are registered."""

    def __init__(self, database: Database, clock: MovableClock, timers: Timers, pace: Pace) -> None:
        self._database = database
        self._clock = clock
        self._timers = timers
        self._pace = pace
        self._resumers: dict[str, Resumer] = {}
        self._running: dict[str, Progress] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="operation")
        database.define(_SCHEMA)
        clock.on_move(self._tell)

    def done(
        self, name: str, *, metadata: Message, response: Message, resource: str = ""
    ) -> Operation:
        """An operation whose work is done already: `result()` of the client then never polls.

        Unless it is to take longer, or to fail: it runs then, and ends without more work. (One that
        is cut off in that time ends as interrupted, though its work was done.)
        """
        delay_s, error = self._pace.operation_s(), self._pace.operation_error()
        if delay_s or error:
            work = _ending(lambda _: response, error)
            return self._launch(name, metadata, work, resource, delay_s)
        operation = Operation(name=name, done=True)
        operation.metadata.Pack(metadata)
        operation.response.Pack(response)
        self._insert(operation, resource)
        return operation

    def run(self, name: str, *, metadata: Message, work: Work, resource: str) -> Operation:
        """Start `work` in a thread, after the caller's transaction has committed.

        What `work` returns is the response; a ServiceError is the operation's error. `resource` is
        the IAM resource that it works on, whose project decides who may look at the operation.
        """
        delay_s, error = self._pace.operation_s(), self._pace.operation_error()
        return self._launch(name, metadata, _ending(work, error), resource, delay_s)

    def register_resumer(self, prefix: str, resumer: Resumer) -> None:
        """Continue interrupted operations whose name, or metadata type, begins with `prefix`.

        The resumer gets the operation as it was and gives the work to go on with, or None.
        """
        self._resumers[prefix] = resumer

    def recover(self) -> None:
        """Continue or end what a former process left running."""
        for row in self._database.read().execute("SELECT body FROM operations WHERE done=0"):
            operation = Operation.FromString(row["body"])
            work = self._resumed(operation)
            if work is not None:
                self._start(operation.name, work)
            else:
                self._fail(operation.name, ServiceError(Code.ABORTED, _INTERRUPTED))

    def get(self, name: str) -> Operation:
        """The operation, or NOT_FOUND."""
        row = (
            self._database.read()
            .execute("SELECT body FROM operations WHERE name=?", (name,))
            .fetchone()
        )
        if row is None:
            raise not_found(f"Operation {name} was not found.")
        return Operation.FromString(row["body"])

    def resource(self, name: str) -> str:
        """The IAM resource that an operation was started for ('' when none was told)."""
        row = (
            self._database.read()
            .execute("SELECT resource FROM operations WHERE name=?", (name,))
            .fetchone()
        )
        return "" if row is None else str(row["resource"])

    def list(self, parent: str, *, size: int = 0, token: str = "") -> OperationPage:
        """The operations below a parent ("projects/P/locations/L"; '' for all), by name."""
        size = min(size, _PAGE) if size > 0 else _PAGE
        prefix = f"{parent}/operations/" if parent else ""
        rows = (
            self._database.read()
            .execute(
                "SELECT name, body FROM operations WHERE substr(name, 1, ?)=? AND name>? "
                "ORDER BY name LIMIT ?",
                (len(prefix), prefix, after_token(token), size + 1),
            )
            .fetchall()
        )
        found = tuple(Operation.FromString(row["body"]) for row in rows[:size])
        return OperationPage(found, page_token(found[-1].name) if len(rows) > size else "")

    def cancel(self, name: str) -> None:
        """Ask the work to stop; whether it does is the work's choice. NOT_FOUND."""
        self.get(name)
        progress = self._running.get(name)
        if progress is not None:
            progress.cancel()

    def delete(self, name: str) -> None:
        """Forget a finished operation; FAILED_PRECONDITION while it runs."""
        if not self.get(name).done:
            raise failed_precondition(f"Operation {name} is still running.")
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM operations WHERE name=?", (name,))

    def wait(self, name: str, timeout_s: float) -> Operation:
        """The operation once it is done, or as it is after `timeout_s` seconds."""
        deadline = self._clock.monotonic() + timeout_s
        with self._changed:
            while True:
                operation = self.get(name)
                left = deadline - self._clock.monotonic()
                if operation.done or left <= 0:
                    return operation
                self._changed.wait(left)

    @property
    def stopping(self) -> bool:
        """Whether the local cloud ends: work that is cancelled then was not cancelled by a user."""
        return self._stopping

    def stop(self) -> None:
        """Ask all work to stop and take no more.

        Work that ends with an error from now on was cut off, not refused: its operation stays as
        running in the database, and `recover` decides about it at the next start.
        """
        self._stopping = True
        for progress in tuple(self._running.values()):
            progress.drop()
            progress.cancel()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _resumed(self, operation: Operation) -> Work | None:
        kind = operation.metadata.type_url.rpartition("/")[2]
        for prefix, resumer in self._resumers.items():
            if operation.name.startswith(prefix) or kind.startswith(prefix):
                return resumer(operation)
        return None

    def _insert(self, operation: Operation, resource: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO operations VALUES (?, ?, ?, ?)",
                (operation.name, resource, operation.done, operation.SerializeToString()),
            )

    def _launch(
        self, name: str, metadata: Message, work: Work, resource: str, delay_s: float
    ) -> Operation:
        operation = Operation(name=name)
        operation.metadata.Pack(metadata)
        self._insert(operation, resource)
        self._database.after_commit(lambda: self._start(name, work, delay_s))
        return operation

    def _start(self, name: str, work: Work, delay_s: float = 0) -> None:
        progress = Progress(name, self._publish)
        self._running[name] = progress
        if not delay_s:
            self._workers.submit(self._work, progress, work)
            return
        progress.begins = self._timers.call_later(
            delay_s, lambda: self._workers.submit(self._work, progress, work)
        )

    def _work(self, progress: Progress, work: Work) -> None:
        try:
            response = work(progress)
        except ServiceError as error:
            self._refused(progress.name, error)
        except Exception as error:  # noqa: BLE001  # the supervisor of all work: nothing may escape
            log_id = log_failure(f"operation {progress.name}", error)
            self._refused(progress.name, internal(log_id))
        else:
            self._change(progress.name, lambda operation: _succeed(operation, response))
        finally:
            self._running.pop(progress.name, None)

    def _refused(self, name: str, error: ServiceError) -> None:
        if not self._stopping:
            self._fail(name, error)

    def _publish(self, name: str, metadata: Message) -> None:
        self._change(name, lambda operation: operation.metadata.Pack(metadata))

    def _fail(self, name: str, error: ServiceError) -> None:
        status = status_of(error)
        self._change(name, lambda operation: _end_with(operation, status))

    def _change(self, name: str, change: Callable[[Operation], None]) -> None:
        with self._database.transaction() as connection:
            row = connection.execute("SELECT body FROM operations WHERE name=?", (name,)).fetchone()
            if row is None:
                return
            operation = Operation.FromString(row["body"])
            change(operation)
            connection.execute(
                "UPDATE operations SET done=?, body=? WHERE name=?",
                (operation.done, operation.SerializeToString(), name),
            )
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _ending(work: Work, error: ServiceError | None) -> Work:
    """The work, followed by an injected error: a failure that is found out late."""
    if error is None:
        return work

    def fails(progress: Progress) -> Message:
        work(progress)
        raise error

    return fails


def _succeed(operation: Operation, response: Message) -> None:
    operation.done = True
    operation.response.Pack(response)


def _end_with(operation: Operation, status: status_pb2.Status) -> None:
    operation.done = True
    operation.error.CopyFrom(status)
