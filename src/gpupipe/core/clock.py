"""Time as a dependency: what waits or measures takes a `Clock`, so that tests move it by hand."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from gpupipe.core.errors import Exit, GpupipeError


class Clock(Protocol):
    """The time of day, a monotonic time in seconds, and a sleep."""

    def now(self) -> datetime:
        """The time of day, in UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow, from an arbitrary start."""

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""


class InterruptedWaitError(GpupipeError):
    """The user pressed Ctrl-C; what was begun in the cloud is not waited for any more, and goes on."""

    def __init__(
        self,
        resolution: str = "Run the same command again: it finds what is there and finishes the rest.",
    ) -> None:
        super().__init__(
            "Interrupted; what was begun in the cloud goes on.",
            resolution=resolution,
            doc="reference/errors.md#interrupted",
            exit=Exit.INTERRUPTED,
        )


class SystemClock:
    """The machine's clock. After `interrupt` every sleep, also a running one, raises InterruptedWaitError."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises InterruptedWaitError once `interrupt` was called."""
        if self._interrupted.wait(seconds):
            raise InterruptedWaitError

    def interrupt(self) -> None:
        """End every sleep."""
        self._interrupted.set()
