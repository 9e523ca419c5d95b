"""Sessions of resumable uploads, in the database; their data so far is a part file."""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.services.storage.preconditions import Preconditions
from gpupipe.localcloud.services.storage.times import parse, rfc3339
from gpupipe.localcloud.services.storage.writes import NewObject
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS storage_uploads (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, body TEXT NOT NULL, generation INTEGER)"""
# docs: a session lives a week
LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Session:
    """One upload; `generation` is set when it is complete, `total` when its size was announced."""

    id: str
    new: NewObject
    checksums: dict[str, str]
    total: int | None
    generation: int | None = None


class Sessions:
    """The sessions that are known."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)

    def create(
        self, new: NewObject, checksums: dict[str, str], total: int | None, now: datetime
    ) -> Session:
        """A new session with an id that cannot be guessed."""
        session = Session(secrets.token_urlsafe(32), new, checksums, total)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO storage_uploads VALUES (?, ?, ?, NULL)",
                (session.id, rfc3339(now), _encode(session)),
            )
        return session

    def get(self, session_id: str) -> Session | None:
        """The session, finished or not."""
        row = (
            self._database.read()
            .execute("SELECT body, generation FROM storage_uploads WHERE id=?", (session_id,))
            .fetchone()
        )
        return None if row is None else _decode(session_id, row["body"], row["generation"])

    def finished(self, session_id: str, generation: int) -> None:
        """Remember what the session became, for a client that asks again."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE storage_uploads SET generation=? WHERE id=?", (generation, session_id)
            )

    def delete(self, session_id: str) -> None:
        """Forget a session."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM storage_uploads WHERE id=?", (session_id,))

    def expired(self, now: datetime) -> list[str]:
        """The sessions that are older than a session may be."""
        rows = self._database.read().execute("SELECT id, started FROM storage_uploads").fetchall()
        return [row["id"] for row in rows if parse(row["started"]) + LIFETIME < now]

    def unfinished(self) -> set[str]:
        """The sessions that have a part file."""
        rows = self._database.read().execute(
            "SELECT id FROM storage_uploads WHERE generation IS NULL"
        )
        return {row["id"] for row in rows.fetchall()}


def _encode(session: Session) -> str:
    new = session.new
    return json.dumps(
        {
            "member": new.caller.member,
            "bucket": new.bucket,
            "name": new.name,
            "fields": new.fields,
            "wanted": asdict(new.wanted),
            "checksums": session.checksums,
            "total": session.total,
        }
    )


def _decode(session_id: str, body: str, generation: int | None) -> Session:
    found = json.loads(body)
    new = NewObject(
        Caller(found["member"]),
        found["bucket"],
        found["name"],
        found["fields"],
        Preconditions(**found["wanted"]),
    )
    return Session(session_id, new, found["checksums"], found["total"], generation)
