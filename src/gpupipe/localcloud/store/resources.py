"""Named resources as serialised messages: get, put, delete, list by parent with pages.

A resource is (kind, name) -> bytes, with a parent for listing and an order of creation. Kinds are
chosen by their owners ("run.service", "storage.bucket"); bytes are a protobuf or JSON text.
"""

import sqlite3
from dataclasses import dataclass

from gpupipe.localcloud.store.database import Database
from gpupipe.localcloud.store.paging import after_token, page_token

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS resources (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL, name TEXT NOT NULL, parent TEXT NOT NULL, body BLOB NOT NULL,
        UNIQUE (kind, name))""",
    "CREATE INDEX IF NOT EXISTS resources_by_parent ON resources (kind, parent, name)",
)
DEFAULT_PAGE = 500


@dataclass(frozen=True, slots=True)
class Record:
    """One stored resource; `sequence` grows with creation and is kept by updates."""

    kind: str
    name: str
    parent: str
    body: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of records in the order of their names, and the token of the next ('' at the end)."""

    records: tuple[Record, ...]
    next_token: str


class Resources:
    """The table of resources of one local cloud."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(*_SCHEMA)

    def get(self, kind: str, name: str) -> Record | None:
        """The resource, or None."""
        row = (
            self._database.read()
            .execute("SELECT * FROM resources WHERE kind=? AND name=?", (kind, name))
            .fetchone()
        )
        return None if row is None else _record(row)

    def put(self, kind: str, name: str, parent: str, body: bytes) -> None:
        """Create or replace; the sequence of an existing one is kept."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO resources (kind, name, parent, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET parent=excluded.parent, body=excluded.body",
                (kind, name, parent, body),
            )

    def delete(self, kind: str, name: str) -> bool:
        """Remove; False when there was none."""
        with self._database.transaction() as connection:
            done = connection.execute("DELETE FROM resources WHERE kind=? AND name=?", (kind, name))
            return done.rowcount > 0

    def all(self, kind: str, parent: str | None = None) -> tuple[Record, ...]:
        """Every resource of a kind (of one parent), by name."""
        query, values = "SELECT * FROM resources WHERE kind=?", [kind]
        if parent is not None:
            query, values = query + " AND parent=?", [kind, parent]
        rows = self._database.read().execute(query + " ORDER BY name", values).fetchall()
        return tuple(_record(row) for row in rows)

    def page(self, kind: str, parent: str, *, size: int = 0, token: str = "") -> Page:
        """One page of a parent's resources; a token that we did not give is INVALID_ARGUMENT."""
        size = min(size, 1000) if size > 0 else DEFAULT_PAGE
        rows = (
            self._database.read()
            .execute(
                "SELECT * FROM resources WHERE kind=? AND parent=? AND name>? "
                "ORDER BY name LIMIT ?",
                (kind, parent, after_token(token), size + 1),
            )
            .fetchall()
        )
        records = tuple(_record(row) for row in rows[:size])
        more = len(rows) > size
        return Page(records, page_token(records[-1].name) if more else "")


def _record(row: sqlite3.Row) -> Record:
    return Record(row["kind"], row["name"], row["parent"], row["body"], row["sequence"])
