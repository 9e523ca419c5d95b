"""The startup probe: asks an instance until it answers, ends, or its time is up.

Cloud Run asks once per period. Here the first questions come sooner (a local process starts in
milliseconds) and slow down to the period; the time is the one that the probe states.
"""

import http.client
import socket
import threading
import time
from collections.abc import Callable

from gpupipe.localcloud.runner.revision import StartupProbe

_FIRST_PAUSE_S = 0.02
_STARTED = range(200, 400)


def wait_until_started(
    probe: StartupProbe,
    port: int,
    ended: threading.Event,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """True once the probe succeeds; False when `ended` is set or it failed too often.

    A failure counts once in a period. So the time is that which the probe states, and longer where
    this process itself could not run (a machine that is overloaded, or sleeps).
    """
    failures, counted_at = 0, monotonic() + probe.initial_delay_s + probe.period_s
    pause = _FIRST_PAUSE_S
    while not ended.is_set():
        if _succeeds(probe, port, max(0.01, probe.timeout_s)):
            return not ended.is_set()
        now = monotonic()
        if now >= counted_at:
            failures += 1
            counted_at = now + probe.period_s
        if failures >= probe.failure_threshold:
            return False
        ended.wait(min(pause, max(0.0, counted_at - now)))
        pause = min(pause * 1.5, probe.period_s, 1.0)
    return False


def _succeeds(probe: StartupProbe, port: int, timeout: float) -> bool:
    if probe.path is None:
        return _listens(port, timeout)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", probe.path, headers=dict(probe.headers))
        return connection.getresponse().status in _STARTED
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(port: int, timeout: float) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=timeout).close()
    except OSError:
        return False
    return True
