"""Ctrl-C during a run: once stops cleanly, twice stops now."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gpupipe.core.clock import SystemClock


@contextmanager
def stopping(clock: SystemClock) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; it also ends every wait of `clock`.

    Nothing new is begun then, and what was begun in the cloud goes on. The second Ctrl-C ends the
    process at once.
    """
    cancel = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        # Not print: the signal may come while the main thread writes to the same stream.
        os.write(
            sys.stderr.fileno(), b"\nStopping: nothing new is begun. Ctrl-C again stops now.\n"
        )
        cancel.set()
        clock.interrupt()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
