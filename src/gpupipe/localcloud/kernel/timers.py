"""Callbacks at a time of the cloud's clock: one thread for all, so that what waits holds none.

Durations of operations, pauses of executions and calls that are held up all wait here; when the
clock is moved by hand, what has become due runs at once.
"""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from contextlib import suppress

from gpupipe.localcloud.kernel.clock import MovableClock
from gpupipe.localcloud.kernel.failures import log_failure

_LOOK_S = 0.5


class Timer:
    """One callback that waits; it runs once at most."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback = callback
        self._over = threading.Lock()

    def fire(self) -> None:
        """Run it now, unless it has run or was cancelled."""
        if self._over.acquire(blocking=False):
            try:
                self._callback()
            except Exception as error:  # noqa: BLE001  # one bad callback must not end the others
                log_failure("a timer", error)

    def cancel(self) -> bool:
        """Forget it; False when it has run or was cancelled already."""
        return self._over.acquire(blocking=False)


class Timers:
    """Timers of one local cloud; the thread begins with the first one."""

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Timer]] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        clock.on_move(self._wake)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call it in this many seconds of the clock, in the timers' thread: it must not block."""
        timer = Timer(callback)
        with self._changed:
            due = self._clock.monotonic() + seconds
            heapq.heappush(self._heap, (due, next(self._order), timer))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait on an asyncio loop, without a thread."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # the loop may have ended since
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(over.set)

        timer = self.call_later(seconds, wake)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def stop(self) -> None:
        """End the thread; what still waits is never called."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            timer.fire()

    def _next(self) -> Timer | None:
        """Wait for the next timer that is due; None at the end."""
        with self._changed:
            while not self._stopping:
                left = self._heap[0][0] - self._clock.monotonic() if self._heap else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._heap)[2]
                # A clock below may run faster than the machine's: it is looked at now and then.
                self._changed.wait(None if left is None else min(left, _LOOK_S))
            return None
