"""Ctrl-C (and SIGTERM) during a command: once stops cleanly, twice stops now.

A signal handler runs between any two instructions of the main thread, which may hold the lock of
the very event that it would set. So the handler only writes to a descriptor and puts into a
`SimpleQueue`, both of which are reentrant; a thread of ours takes from there and sets the events.
"""

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gpupipe.core.clock import SystemClock
from gpupipe.core.errors import Exit

_STOP, _CLOSE = "stop", "close"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FIRST = b"\nStopping: nothing new is begun. Ctrl-C again stops now.\n"
_SECOND = b"\nStopped. What was begun in the cloud goes on; run the same command again to finish.\n"
_SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """What a command knows of the user's wish to stop.

    cancel: set by the first signal. Until `begin` the first signal also raises KeyboardInterrupt:
    nothing has been begun that would have to be waited for.
    """

    def __init__(self, clock: SystemClock) -> None:
        self.cancel = threading.Event()
        self._clock = clock
        self._begun = False
        self._signals = 0
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._watcher = threading.Thread(target=self._watch, name="interrupt", daemon=True)
        self._watcher.start()

    def begin(self) -> None:
        """From now on something is under way: a signal waits for it."""
        self._begun = True

    def on_signal(self, _: int, __: FrameType | None) -> None:
        """The handler: nothing in here may take a lock."""
        self._signals += 1
        if self._signals > 1:
            _say(_SECOND)
            os._exit(Exit.INTERRUPTED)
        self._news.put(_STOP)
        if not self._begun:
            raise KeyboardInterrupt
        _say(_FIRST)

    def close(self) -> None:
        """End the thread."""
        self._news.put(_CLOSE)
        self._watcher.join()

    def _watch(self) -> None:
        while self._news.get() == _STOP:
            self.cancel.set()
            self._clock.interrupt()


@contextmanager
def stopping(clock: SystemClock) -> Iterator[Stopping]:
    """Handle the signals while the block runs; the first one also ends every wait of `clock`.

    Nothing new is begun then, and what was begun in the cloud goes on. The second one ends the
    process at once. A signal that this process was started to ignore stays ignored.
    """
    stop = Stopping(clock)
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    heard = [one for one in _SIGNALS if before[one] is not signal.SIG_IGN]
    for one in heard:
        signal.signal(one, stop.on_signal)
    try:
        yield stop
    finally:
        for one in heard:
            signal.signal(one, before[one])
        stop.close()


def _say(words: bytes) -> None:
    # Not print: the signal may come while the main thread writes to the same stream. A live view
    # hides the cursor, and the second signal leaves it no time to show it again.
    os.write(sys.stderr.fileno(), (_SHOW_CURSOR if sys.stderr.isatty() else b"") + words)
