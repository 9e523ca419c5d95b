"""What is there but has no effect yet: new grants, accounts, APIs and triggers, on the injected clock.

Google's changes of access take minutes to reach every place. Here they are seen at once unless
`behaviour.propagation_s` says otherwise; what the platform itself makes is never delayed.
"""

from gpupipe.core.clock import Clock
from gpupipe.localcloud.kernel.behaviour import Behaviour
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS delays (
    scope TEXT NOT NULL, name TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (scope, name))"""


class Delays:
    """Names that wait, by scope ("accounts", "policy:projects/P")."""

    def __init__(self, database: Database, clock: Clock, behaviour: Behaviour) -> None:
        self._database = database
        self._clock = clock
        self._behaviour = behaviour
        database.define(_SCHEMA)

    def begin(self, scope: str, *names: str) -> None:
        """Let names wait from now on for as long as the setting says."""
        seconds = self._behaviour.propagation_s
        if not seconds:
            return
        until = self._now() + seconds
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO delays VALUES (?, ?, ?)",
                [(scope, name, until) for name in names],
            )

    def end(self, scope: str, *names: str) -> None:
        """Forget names that are gone."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM delays WHERE scope=? AND name=?", [(scope, name) for name in names]
            )

    def waiting(self, scope: str) -> frozenset[str]:
        """The names of a scope that have no effect yet."""
        rows = self._database.read().execute(
            "SELECT name FROM delays WHERE scope=? AND until>?", (scope, self._now())
        )
        return frozenset(name for (name,) in rows)

    def _now(self) -> float:
        return self._clock.now().timestamp()
