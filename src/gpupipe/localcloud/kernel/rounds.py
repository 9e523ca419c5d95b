"""Work that is done again and again: every so often, and at once when the clock was moved."""

import threading
from collections.abc import Callable

from gpupipe.localcloud.kernel.clock import MovableClock
from gpupipe.localcloud.kernel.failures import log_failure

_END_S = 10


class Rounds:
    """A thread that calls `work`; a failure of one round is logged and ends no other."""

    def __init__(
        self, name: str, clock: MovableClock, work: Callable[[], object], *, period_s: float
    ) -> None:
        """period_s: of the machine's time, from the end of a round to the next one."""
        self._name = name
        self._work = work
        self._period_s = period_s
        self._changed = threading.Condition()
        self._moved = self._stopping = False
        self._thread: threading.Thread | None = None
        clock.on_move(self._wake)

    def start(self) -> None:
        """Begin a period from now."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while self._wait():
            try:
                self._work()
            except Exception as error:  # noqa: BLE001  # the supervisor of all rounds
                log_failure(self._name, error)

    def _wait(self) -> bool:
        """Until the period is over or the clock was moved; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._moved or self._stopping, self._period_s)
            self._moved = False
            return not self._stopping

    def _wake(self) -> None:
        with self._changed:
            self._moved = True
            self._changed.notify_all()
