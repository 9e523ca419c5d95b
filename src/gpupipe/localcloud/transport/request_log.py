"""Which calls came: one row each, the newest 100,000 are kept, not synced to disk.

"The second deploy writes nothing" is counted here. No row holds a token or a body.
"""

from dataclasses import dataclass

from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL,
    api TEXT NOT NULL, caller TEXT NOT NULL, resource TEXT NOT NULL, code TEXT NOT NULL,
    writes INTEGER NOT NULL, ms REAL NOT NULL)"""
_KEPT = 100_000
_TRIM_EVERY = 1_000
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """One call. code: the canonical code ("OK"); ms: how long it took; time: Unix seconds."""

    method: str
    api: str
    caller: str
    resource: str
    code: str
    writes: bool
    ms: float
    time: float
    seq: int = 0


class RequestLog:
    """The calls of one local cloud, numbered from 1 as they end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)

    def record(self, request: Request) -> None:
        """Add one call."""
        with self._database.transaction() as connection:
            done = connection.execute(
                "INSERT INTO requests (time, method, api, caller, resource, code, writes, ms) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.time,
                    request.method,
                    request.api,
                    request.caller,
                    request.resource,
                    request.code,
                    request.writes,
                    request.ms,
                ),
            )
            number = int(done.lastrowid or 0)
            if number % _TRIM_EVERY == 0:
                connection.execute("DELETE FROM requests WHERE seq<=?", (number - _KEPT,))

    def since(self, seq: int, limit: int = _PAGE) -> tuple[Request, ...]:
        """The calls after number `seq`, in order, at most `limit`."""
        rows = self._database.read().execute(
            "SELECT method, api, caller, resource, code, writes, ms, time, seq FROM requests "
            "WHERE seq>? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return tuple(Request(**{**dict(row), "writes": bool(row["writes"])}) for row in rows)

    def latest(self) -> int:
        """The number of the newest call (0 when there is none)."""
        row = self._database.read().execute("SELECT max(seq) FROM requests").fetchone()
        return int(row[0] or 0)
