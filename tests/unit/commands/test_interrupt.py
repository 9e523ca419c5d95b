"""Ctrl-C and SIGTERM: what the first one does before and after work has begun, and the second one."""

import signal
import subprocess
import sys
import threading

import pytest

from gpupipe.commands._interrupt import stopping
from gpupipe.core.clock import InterruptedWaitError, SystemClock

SIGNALS = [signal.SIGINT, signal.SIGTERM]
SOON_S = 10.0


class LockedClock(SystemClock):
    """A clock whose `interrupt` needs a lock that the main thread may hold, as `Event.set` does."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.told = threading.Event()

    def interrupt(self) -> None:
        if not self.lock.acquire(timeout=SOON_S):
            raise AssertionError("whoever holds the lock never goes on")
        self.lock.release()
        super().interrupt()
        self.told.set()


@pytest.mark.parametrize("number", SIGNALS)
def test_before_anything_is_begun_the_first_one_ends_the_work_at_once(
    number: signal.Signals,
) -> None:
    clock = SystemClock()
    with stopping(clock) as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert stop.cancel.wait(SOON_S)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_was_begun_is_not_torn_apart_but_waits_end(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = SystemClock()
    with stopping(clock) as stop:
        stop.begin()
        signal.raise_signal(number)
        assert stop.cancel.wait(SOON_S)
        with pytest.raises(InterruptedWaitError):
            clock.sleep(SOON_S)
    assert "Stopping" in capfd.readouterr().err


def test_the_handler_needs_no_lock_that_the_interrupted_thread_holds() -> None:
    clock = LockedClock()
    with stopping(clock) as stop:
        stop.begin()
        with clock.lock:
            signal.raise_signal(signal.SIGINT)
            assert not clock.told.is_set()
        assert clock.told.wait(SOON_S)
        assert stop.cancel.is_set()


def test_the_handlers_and_threads_are_as_before_afterwards() -> None:
    before, threads = [signal.getsignal(one) for one in SIGNALS], set(threading.enumerate())
    with stopping(SystemClock()):
        assert [signal.getsignal(one) for one in SIGNALS] != before
    assert [signal.getsignal(one) for one in SIGNALS] == before
    # threads of tests that ran before may end meanwhile
    assert set(threading.enumerate()) <= threads


def test_a_signal_that_was_ignored_from_the_start_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping(SystemClock()) as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.cancel.is_set()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


SECOND = """
import signal, threading
from gpupipe.commands._interrupt import stopping
from gpupipe.core.clock import SystemClock
with stopping(SystemClock()) as stop:
    stop.begin()
    # A thread that would keep the process: it is not a daemon and never ends.
    threading.Thread(target=threading.Event().wait).start()
    signal.raise_signal(signal.SIGINT)
    stop.cancel.wait()
    signal.raise_signal(signal.SIGINT)
"""


def test_the_second_one_ends_the_process_whatever_its_threads_do() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SECOND], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
