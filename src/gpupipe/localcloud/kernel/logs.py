"""Log entries of all projects, in a database file of their own: the newest 100,000 are kept.

Cloud Logging serves them; services and instances write them. Entries are numbered as they come in,
which is what a tail goes on from.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gpupipe.core.clock import Clock
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS log_entries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL, log_name TEXT NOT NULL, resource_type TEXT NOT NULL,
        severity INTEGER NOT NULL, timestamp REAL NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS log_entries_by_project ON log_entries (project, timestamp)",
)
_KEPT = 100_000
_TRIM_EVERY = 1_000
_BATCH = 200

# google.logging.type.LogSeverity
SEVERITIES: Mapping[str, int] = {
    "DEFAULT": 0,
    "DEBUG": 100,
    "INFO": 200,
    "NOTICE": 300,
    "WARNING": 400,
    "ERROR": 500,
    "CRITICAL": 600,
    "ALERT": 700,
    "EMERGENCY": 800,
}
Payload = str | dict[str, Any]
_AUDIT = "cloudaudit.googleapis.com%2F"
ACTIVITY, DATA_ACCESS = f"{_AUDIT}activity", f"{_AUDIT}data_access"
"""The ids of the audit logs."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry; `log_name` is "projects/P/logs/ID" with ID URL-encoded, as the API has it."""

    sequence: int
    log_name: str
    resource_type: str
    resource_labels: Mapping[str, str]
    severity: str
    payload: Payload
    timestamp: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    trace: str = ""
    insert_id: str = ""
    received: datetime | None = None

    @property
    def project(self) -> str:
        """The id of the project."""
        return self.log_name.split("/")[1]

    @property
    def is_audit(self) -> bool:
        """Whether it is an audit log's; its payload is a google.cloud.audit.AuditLog then."""
        return is_audit_log(self.log_name)

    @property
    def is_private(self) -> bool:
        """Whether it takes a permission of its own to read it."""
        return self.log_name.endswith(DATA_ACCESS)


def is_audit_log(name: str) -> bool:
    """Whether a log of this name is written by Cloud Audit Logs."""
    return name.rpartition("/")[2].startswith(_AUDIT)


class Logs:
    """Writes and finds log entries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._arrived = threading.Condition()
        self._closed = False
        database.define(*_SCHEMA)

    def write(
        self,
        log_name: str,
        resource_type: str,
        resource_labels: Mapping[str, str],
        severity: str,
        payload: Payload,
        *,
        labels: Mapping[str, str] | None = None,
        trace: str = "",
        timestamp: datetime | None = None,
        insert_id: str = "",
    ) -> LogEntry:
        """Store one entry; its time is now unless told, and an insert id is made when not given."""
        now = self._clock.now()
        entry = LogEntry(
            0,
            log_name,
            resource_type,
            dict(resource_labels),
            severity,
            payload,
            timestamp or now,
            dict(labels or {}),
            trace,
            insert_id,
            now,
        )
        sequence = self._insert(entry)
        with self._arrived:
            self._arrived.notify_all()
        return _numbered(entry, sequence)

    def query(
        self,
        project: str,
        *,
        log_name: str = "",
        resource_type: str = "",
        severity_at_least: str = "DEFAULT",
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = 0,
        newest_first: bool = False,
        limit: int = 1000,
        where: Callable[[LogEntry], bool] | None = None,
    ) -> tuple[LogEntry, ...]:
        """Entries of a project in the order of their times, at most `limit`.

        `after` is a sequence number, for going on; `where` decides what the arguments cannot.
        """
        clauses: list[tuple[str, object]] = [
            ("project=?", project),
            ("severity>=?", SEVERITIES[severity_at_least]),
            ("sequence>?", after),
        ]
        optional: tuple[tuple[str, object], ...] = (
            ("log_name=?", log_name),
            ("resource_type=?", resource_type),
            ("timestamp>=?", since and since.timestamp()),
            ("timestamp<=?", until and until.timestamp()),
        )
        clauses += [(clause, value) for clause, value in optional if value]
        found: list[LogEntry] = []
        for entry in self._select(clauses, newest_first=newest_first):
            if len(found) >= limit:
                break
            if where is None or where(entry):
                found.append(entry)
        return tuple(found)

    def names(self, project: str) -> tuple[str, ...]:
        """The logs of a project that have entries, in the order of their names."""
        rows = self._database.read().execute(
            "SELECT DISTINCT log_name FROM log_entries WHERE project=? ORDER BY log_name",
            (project,),
        )
        return tuple(name for (name,) in rows)

    def latest(self) -> int:
        """The sequence number of the newest entry (0 when there is none)."""
        row = self._database.read().execute("SELECT max(sequence) FROM log_entries").fetchone()
        return int(row[0] or 0)

    def delete(self, log_name: str) -> bool:
        """Remove all entries of one log; False when there were none."""
        with self._database.transaction() as connection:
            done = connection.execute(
                "DELETE FROM log_entries WHERE project=? AND log_name=?",
                (log_name.split("/")[1], log_name),
            )
            return done.rowcount > 0

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry newer than `after`; False when none came in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._closed or self.latest() > after, timeout_s)

    def stop(self) -> None:
        """Wake everybody who waits."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def _insert(self, entry: LogEntry) -> int:
        with self._database.transaction() as connection:
            sequence = connection.execute(
                "INSERT INTO log_entries "
                "(project, log_name, resource_type, severity, timestamp, body) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    entry.project,
                    entry.log_name,
                    entry.resource_type,
                    SEVERITIES[entry.severity],
                    entry.timestamp.timestamp(),
                    _body(entry),
                ),
            ).lastrowid
            number = int(sequence or 0)
            if number % _TRIM_EVERY == 0:
                connection.execute("DELETE FROM log_entries WHERE sequence<=?", (number - _KEPT,))
        return number

    def _select(
        self, clauses: list[tuple[str, object]], *, newest_first: bool
    ) -> Iterator[LogEntry]:
        condition = " AND ".join(clause for clause, _ in clauses)
        order = "DESC" if newest_first else "ASC"
        cursor = self._database.read().execute(
            f"SELECT * FROM log_entries WHERE {condition} "  # noqa: S608  # our own clauses
            f"ORDER BY timestamp {order}, sequence {order}",
            [value for _, value in clauses],
        )
        while rows := cursor.fetchmany(_BATCH):
            yield from map(_entry, rows)


def _body(entry: LogEntry) -> str:
    return json.dumps(
        {
            "severity": entry.severity,
            "payload": entry.payload,
            "timestamp": entry.timestamp.isoformat(),
            "resource_labels": entry.resource_labels,
            "labels": entry.labels,
            "trace": entry.trace,
            "insert_id": entry.insert_id,
            "received": entry.received.isoformat() if entry.received else "",
        }
    )


def _entry(row: sqlite3.Row) -> LogEntry:
    body = json.loads(row["body"])
    return _numbered(
        LogEntry(
            row["sequence"],
            row["log_name"],
            row["resource_type"],
            body["resource_labels"],
            body["severity"],
            body["payload"],
            datetime.fromisoformat(body["timestamp"]).astimezone(UTC),
            body["labels"],
            body["trace"],
            body["insert_id"],
            datetime.fromisoformat(body["received"]).astimezone(UTC),
        ),
        row["sequence"],
    )


def _numbered(entry: LogEntry, sequence: int) -> LogEntry:
    return replace(entry, sequence=sequence, insert_id=entry.insert_id or f"local-{sequence}")
