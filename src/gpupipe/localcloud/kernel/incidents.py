"""Incidents of alert policies: opened and closed by Cloud Monitoring, shown to who asks.

On Google they are seen in the console; here the control surface tells them. Nobody is notified.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS incidents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, policy TEXT NOT NULL, condition TEXT NOT NULL,
    labels TEXT NOT NULL, display_name TEXT NOT NULL, condition_name TEXT NOT NULL,
    value REAL NOT NULL, opened REAL NOT NULL, seen REAL NOT NULL, closed REAL)"""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an incident is about: the names of policy and condition, the labels of the series."""

    policy: str
    condition: str
    labels: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str, str]:
        """The same as values of a row."""
        return self.policy, self.condition, json.dumps(dict(self.labels), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `value`: the last one that met the condition, `seen`: when. closed: None while open."""

    cause: Cause
    display_name: str
    condition_name: str
    value: float
    opened: datetime
    seen: datetime
    closed: datetime | None


class Incidents:
    """The table of incidents."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refresh: Callable[[], None] = lambda: None
        database.define(_SCHEMA)

    def register(self, refresh: Callable[[], None]) -> None:
        """What evaluates all policies now."""
        self._refresh = refresh

    def refresh(self) -> None:
        """Evaluate all policies now."""
        self._refresh()

    def all(self, project: str) -> tuple[Incident, ...]:
        """The incidents of a project, newest first."""
        return self._select("policy GLOB ?", (f"projects/{project}/*",))

    def open(self, policy: str) -> tuple[Incident, ...]:
        """The open incidents of a policy."""
        return self._select("policy=? AND closed IS NULL", (policy,))

    def policies(self) -> frozenset[str]:
        """The policies with open incidents."""
        rows = self._database.read().execute("SELECT policy FROM incidents WHERE closed IS NULL")
        return frozenset(row["policy"] for row in rows)

    def met(self, cause: Cause, names: tuple[str, str], value: float, now: datetime) -> None:
        """A condition is met: open an incident, or note that the open one goes on.

        names: the display names of policy and condition.
        """
        time = now.timestamp()
        with self._database.transaction() as connection:
            done = connection.execute(
                "UPDATE incidents SET value=?, seen=? WHERE policy=? AND condition=? AND labels=?"
                " AND closed IS NULL",
                (value, time, *cause.key),
            )
            if not done.rowcount:
                connection.execute(
                    "INSERT INTO incidents (policy, condition, labels, display_name,"
                    " condition_name, value, opened, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*cause.key, *names, value, time, time),
                )

    def close(self, cause: Cause, now: datetime) -> None:
        """The open incident of a cause, if there is one, is over."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE incidents SET closed=? WHERE policy=? AND condition=? AND labels=?"
                " AND closed IS NULL",
                (now.timestamp(), *cause.key),
            )

    def _select(self, condition: str, values: tuple[object, ...]) -> tuple[Incident, ...]:
        rows = self._database.read().execute(
            f"SELECT * FROM incidents WHERE {condition} ORDER BY sequence DESC",  # noqa: S608  # ours
            values,
        )
        return tuple(_incident(row) for row in rows.fetchall())


def _incident(row: sqlite3.Row) -> Incident:
    return Incident(
        Cause(row["policy"], row["condition"], json.loads(row["labels"])),
        row["display_name"],
        row["condition_name"],
        row["value"],
        datetime.fromtimestamp(row["opened"], UTC),
        datetime.fromtimestamp(row["seen"], UTC),
        None if row["closed"] is None else datetime.fromtimestamp(row["closed"], UTC),
    )
