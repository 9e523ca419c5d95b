"""Time as the services see it: injected, so that tests decide it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time for records, a monotonic one for durations."""

    def now(self) -> datetime:
        """The time in UTC."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()


def milliseconds(since: float, clock: Clock) -> float:
    """Milliseconds since `since` (a `monotonic` reading), to a tenth."""
    return round((clock.monotonic() - since) * 1000, 1)


def rfc3339(moment: datetime) -> str:
    """`moment` in UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
