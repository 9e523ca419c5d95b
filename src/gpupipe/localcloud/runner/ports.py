"""Ports for instances: below those that systems give away by themselves.

A port is chosen before the program that will listen on it has started, which takes seconds. One that
the system gave us (`bind` to 0) may meanwhile go to anyone who asks it for any port, and a probe of
it may connect to itself; the ports here lie below the automatic ranges of Linux, macOS and Windows.
They are chosen by the system's randomness: two programs that seed theirs alike would choose alike.
"""

import secrets
import socket
import threading

_FIRST, _LAST = 20_000, 32_767
_TRIES = 200


class Ports:
    """Gives each port to one instance at a time. Thread-safe."""

    def __init__(self, first: int = _FIRST, last: int = _LAST) -> None:
        self._choice = range(first, last + 1)
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> int:
        """A loopback port that nobody listens on; OSError when none was found."""
        with self._lock:
            for _ in range(_TRIES):
                port = secrets.choice(self._choice)
                if port not in self._taken and _is_free(port):
                    self._taken.add(port)
                    return port
        raise OSError(f"no free port from {self._choice.start} to {self._choice.stop - 1}")

    def give_back(self, port: int) -> None:
        """The instance is gone."""
        with self._lock:
            self._taken.discard(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that ended a moment ago are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
