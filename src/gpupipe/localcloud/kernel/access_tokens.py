"""Access tokens: random, kept only as hashes, with an end."""

import hashlib
import secrets
from datetime import datetime, timedelta

from gpupipe.core.clock import Clock
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS access_tokens (
    hash BLOB PRIMARY KEY, member TEXT NOT NULL, expires REAL NOT NULL)"""
_BYTES = 32


class AccessTokens:
    """Which member a token stands for, until when."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        database.define(_SCHEMA)

    def issue(self, member: str, lifetime_s: float) -> tuple[str, datetime]:
        """A new token for a member, with its end; ended ones are forgotten on the way."""
        token, now = secrets.token_urlsafe(_BYTES), self._clock.now()
        expires = now + timedelta(seconds=lifetime_s)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM access_tokens WHERE expires<=?", (now.timestamp(),))
            connection.execute(
                "INSERT INTO access_tokens VALUES (?, ?, ?)",
                (_hash(token), member, expires.timestamp()),
            )
        return token, expires

    def member(self, token: str) -> str | None:
        """Who holds this token, or None when it is unknown or has ended."""
        row = (
            self._database.read()
            .execute(
                "SELECT member FROM access_tokens WHERE hash=? AND expires>?",
                (_hash(token), self._clock.now().timestamp()),
            )
            .fetchone()
        )
        return None if row is None else str(row["member"])

    def revoke(self, member: str) -> None:
        """End every token of a member."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM access_tokens WHERE member=?", (member,))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
