"""One SQLite file of the local cloud: many readers, one writer, transactions that nest.

A committed write survives kill -9 (WAL, synchronous=FULL; `durable=False` is for logs, which may
lose their last lines when the machine fails). `transaction()` is re-entrant in a thread: an inner
one joins the outer, so that an object and its event commit together.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
)


class Database:
    """Connections by thread over one file (0600); `schema` statements must be idempotent."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "OFF"
        self._local = threading.local()
        self._writer = threading.RLock()
        self._connections: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._guard = threading.Lock()
        self._closed = False
        # SQLite would create the file with the umask's mode; its WAL copies the mode of this file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    def define(self, *statements: str) -> None:
        """Create tables and indexes (`IF NOT EXISTS`): each owner defines its own at start."""
        with self.transaction() as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; commits on leaving, rolls back on any error, nests by joining."""
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        with self._writer:
            connection.execute("BEGIN IMMEDIATE")
            self._local.hooks = []
            try:
                yield connection
                connection.commit()
            except BaseException:
                # Also where the commit itself fails (a full disk): what stayed open would take the
                # thread's later transactions in, and never commit them.
                connection.rollback()
                self._local.hooks = []
                raise
        hooks, self._local.hooks = self._local.hooks, []
        for hook in hooks:
            hook()

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run `hook` once this thread's transaction has committed; at once if there is none."""
        if self._connection().in_transaction:
            self._local.hooks.append(hook)
        else:
            hook()

    def read(self) -> sqlite3.Connection:
        """This thread's connection, for SELECT; inside a transaction it sees its own writes."""
        return self._connection()

    def clear(self, *, keep: frozenset[str] = frozenset()) -> None:
        """Remove every row of every table but `keep`; the tables stay."""
        with self.transaction() as connection:
            # Rows refer to each other in any order; the check is made once, at the commit.
            connection.execute("PRAGMA defer_foreign_keys=ON")
            found = connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            for (name,) in found.fetchall():
                if name not in keep and not name.startswith("sqlite_"):
                    quoted = name.replace('"', '""')
                    connection.execute(f'DELETE FROM "{quoted}"')  # noqa: S608  # own table names

    def close(self) -> None:
        """Take no more work. A thread that is at work ends its statement on its own connection.

        A connection that is closed under a statement of another thread ends the whole process, so
        living threads keep theirs until they end.
        """
        with self._guard:
            self._closed = True
            for thread, connection in self._connections:
                if thread is threading.current_thread() or not thread.is_alive():
                    connection.close()
            self._connections.clear()

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("The database is closed.")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            self._local.connection = connection
            with self._guard:
                self._close_of_ended_threads()
                self._connections.append((threading.current_thread(), connection))
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=30
        )
        connection.row_factory = sqlite3.Row
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        return connection

    def _close_of_ended_threads(self) -> None:
        living = []
        for thread, connection in self._connections:
            if thread.is_alive():
                living.append((thread, connection))
            else:
                connection.close()
        self._connections = living
