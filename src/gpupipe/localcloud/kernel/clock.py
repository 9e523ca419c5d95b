"""The clock of one local cloud: the machine's (or a test's), moved ahead by hand.

It only moves ahead, and stays ahead over restarts: what was stored says a time that must not lie in
the future. Whoever waits registers with `on_move` and looks at the clock again then.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from gpupipe.core.clock import Clock
from gpupipe.localcloud.kernel.behaviour import Behaviour


class MovableClock:
    """A `Clock` over another one, so many seconds ahead of it."""

    def __init__(self, base: Clock, behaviour: Behaviour) -> None:
        self._base = base
        self._behaviour = behaviour
        self._ahead_s = behaviour.clock_ahead_s
        self._lock = threading.Lock()
        self._moved = threading.Condition()
        self._listeners: list[Callable[[], None]] = [self._wake_sleepers]

    @property
    def ahead_s(self) -> float:
        """How many seconds it is ahead of the clock below."""
        return self._ahead_s

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._base.now() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._base.monotonic() + self._ahead_s

    def sleep(self, seconds: float) -> None:
        """Wait until the clock shows so many seconds more."""
        due = self.monotonic() + seconds
        with self._moved:
            while (left := due - self.monotonic()) > 0:
                self._moved.wait(left)

    def advance(self, seconds: float) -> None:
        """Move ahead and wake all that wait; INVALID_ARGUMENT when that would lead too far."""
        with self._lock:
            self._behaviour.clock_ahead_s = ahead_s = self._ahead_s + max(seconds, 0.0)
            self._ahead_s = ahead_s
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each move, for as long as this clock is used; it must not block."""
        with self._lock:
            self._listeners.append(listener)

    def _wake_sleepers(self) -> None:
        with self._moved:
            self._moved.notify_all()
