"""The table of object versions, and the counter that their generations come from.

A version is live (at most one of a name), noncurrent, or soft-deleted. Rows refer to blobs; a blob
goes when its last row has gone, after the commit.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gpupipe.localcloud.services.storage.blobs import Blobs
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.preconditions import Versions
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS storage_objects (
        bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
        state TEXT NOT NULL, blob TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (bucket, name, generation))""",
    """CREATE UNIQUE INDEX IF NOT EXISTS storage_objects_live
        ON storage_objects (bucket, name) WHERE state = 'live'""",
    "CREATE INDEX IF NOT EXISTS storage_objects_blob ON storage_objects (blob)",
    """CREATE TABLE IF NOT EXISTS storage_generations (
        only INTEGER PRIMARY KEY CHECK (only = 0), last INTEGER NOT NULL)""",
)


# a key of bodies that no answer shows: see `protection`
RETAINED_FROM = "_retainedFrom"


class State(StrEnum):
    """What a stored version is."""

    LIVE = "live"
    NONCURRENT = "noncurrent"
    SOFT_DELETED = "softDeleted"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object; `body` is its resource without links."""

    bucket: str
    name: str
    generation: int
    state: State
    blob: str
    body: Json

    @property
    def metageneration(self) -> int:
        """Counts the changes of this version's metadata."""
        return int(self.body["metageneration"])

    @property
    def size(self) -> int:
        """Bytes of data."""
        return int(self.body["size"])

    def with_body(self, **changes: object) -> "Version":
        """The same version with some fields changed; None removes one."""
        merged = {**self.body, **changes}
        return replace(self, body={k: v for k, v in merged.items() if v is not None})


def versions_of(found: Version | None) -> Versions:
    """What preconditions compare with."""
    return Versions(found.generation, found.metageneration) if found else Versions()


class Rows:
    """Object versions in the database; writes join the caller's transaction."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        database.define(*_SCHEMA)

    def live(self, bucket: str, name: str) -> Version | None:
        """The live version."""
        return self._one("state='live' AND bucket=? AND name=?", bucket, name)

    def version(self, bucket: str, name: str, generation: int) -> Version | None:
        """One version in any state."""
        return self._one("bucket=? AND name=? AND generation=?", bucket, name, generation)

    def holds_any(self, bucket: str) -> bool:
        """Whether the bucket has a live or noncurrent version; soft-deleted ones do not count."""
        found = self._one("bucket=? AND state!='softDeleted' LIMIT 1", bucket)
        return found is not None

    def scan(
        self,
        bucket: str,
        states: Iterable[State],
        *,
        after: tuple[str, int],
        until: str | None,
        limit: int,
    ) -> list[Version]:
        """Versions from (name, generation) on, in the order of names (UTF-8) and generations."""
        wanted = [str(state) for state in states]
        marks = ",".join("?" * len(wanted))
        query = f"bucket=? AND state IN ({marks}) AND (name, generation) >= (?, ?)"
        values: list[object] = [bucket, *wanted, *after]
        if until is not None:
            query, values = query + " AND name < ?", [*values, until]
        return self._many(query + " ORDER BY name, generation LIMIT ?", *values, limit)

    def all_of(self, bucket: str) -> list[Version]:
        """Every version of a bucket, newest first within a name."""
        return self._many("bucket=? ORDER BY name, generation DESC", bucket)

    def add(self, version: Version) -> None:
        """Store a new version."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO storage_objects VALUES (?, ?, ?, ?, ?, ?)", _values(version)
            )

    def change(self, version: Version) -> None:
        """Store the state and body of a version that exists."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE storage_objects SET state=?, body=? "
                "WHERE bucket=? AND name=? AND generation=?",
                (
                    str(version.state),
                    json.dumps(version.body),
                    version.bucket,
                    version.name,
                    version.generation,
                ),
            )

    def remove(self, version: Version) -> None:
        """Forget a version; its blob goes after the commit unless another row shares it."""
        key = (version.bucket, version.name, version.generation)
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM storage_objects WHERE bucket=? AND name=? AND generation=?", key
            )
            self._database.after_commit(lambda: self._drop_unused(version.blob))

    def next_generation(self, now: datetime) -> int:
        """Microseconds since 1970, but always more than the last one, also after a restart."""
        wanted = int(now.timestamp() * 1_000_000)
        with self._database.transaction() as connection:
            row = connection.execute(
                "INSERT INTO storage_generations VALUES (0, ?) ON CONFLICT (only) "
                "DO UPDATE SET last = max(last + 1, excluded.last) RETURNING last",
                (wanted,),
            ).fetchone()
        return int(row[0])

    def blobs_in_use(self) -> set[str]:
        """The names of all blobs that a row refers to."""
        rows = self._database.read().execute("SELECT DISTINCT blob FROM storage_objects")
        return {row[0] for row in rows}

    def _drop_unused(self, blob: str) -> None:
        # asked after the commit: a copy onto itself has added a row for the same blob meanwhile
        if self._one("blob=? LIMIT 1", blob) is None:
            self._blobs.remove(blob)

    def _one(self, where: str, *values: object) -> Version | None:
        found = self._many(where, *values)
        return found[0] if found else None

    def _many(self, where: str, *values: object) -> list[Version]:
        # `where` is one of this module's own texts; values are always bound
        query = f"SELECT * FROM storage_objects WHERE {where}"  # noqa: S608
        return [_version(row) for row in self._database.read().execute(query, values).fetchall()]


def _values(version: Version) -> tuple[object, ...]:
    return (
        version.bucket,
        version.name,
        version.generation,
        str(version.state),
        version.blob,
        json.dumps(version.body),
    )


def _version(row: sqlite3.Row) -> Version:
    return Version(
        row["bucket"],
        row["name"],
        row["generation"],
        State(row["state"]),
        row["blob"],
        json.loads(row["body"]),
    )
