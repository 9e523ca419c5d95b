"""How the local cloud behaves beyond what its APIs say: settings of the operator's, kept in state.

They outlive the daemon. A reset ends them too, but for the clock, which only moves ahead. Faults, which
are used up, are in memory (`kernel.faults`).
"""

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.store.database import Database

TABLE = "behaviour"
_SCHEMA = "CREATE TABLE IF NOT EXISTS behaviour (name TEXT PRIMARY KEY, value REAL NOT NULL)"
_LONGEST_S = 365 * 24 * 3600.0
_FARTHEST_S = 100 * _LONGEST_S
_LARGEST_FACTOR = 1_000.0


class Behaviour:
    """The settings in force; all are 0 (as fast and as soon as can be) until they are changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)
        rows = database.read().execute("SELECT name, value FROM behaviour")
        # Asked on every call, so not of the database each time; nobody else writes the table.
        self._values = {str(row["name"]): float(row["value"]) for row in rows}

    @property
    def propagation_s(self) -> float:
        """Seconds of the injected clock until a new grant, account, API or trigger takes effect."""
        return self._value("propagation_s")

    @propagation_s.setter
    def propagation_s(self, seconds: float) -> None:
        self._set("propagation_s", seconds, _LONGEST_S, "Propagation takes at most 365 days.")

    @property
    def latency_factor(self) -> float:
        """Multiplies the typical durations of `kernel.latency`; 0 adds nothing."""
        return self._value("latency_factor")

    @latency_factor.setter
    def latency_factor(self, factor: float) -> None:
        self._set("latency_factor", factor, _LARGEST_FACTOR, "A latency's factor is at most 1000.")

    @property
    def clock_ahead_s(self) -> float:
        """How far the clock was moved ahead by hand (`kernel.clock` does that)."""
        return self._value("clock_ahead_s")

    @clock_ahead_s.setter
    def clock_ahead_s(self, seconds: float) -> None:
        text = "The clock can be at most 36500 days (100 years) ahead of this machine."
        self._set("clock_ahead_s", seconds, _FARTHEST_S, text)

    def _value(self, name: str) -> float:
        return self._values.get(name, 0.0)

    def _set(self, name: str, value: float, largest: float, text: str) -> None:
        # also refuses "not a number", which compares with nothing
        if not 0 <= value <= largest:
            raise invalid_argument(f"{text} It is no negative number.", name)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO behaviour VALUES (?, ?)", (name, value))
        self._values[name] = value
