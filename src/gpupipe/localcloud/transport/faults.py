"""How a fault, or the latency that was asked for, meets a call: it waits, breaks or is refused.

HTTP connections are really closed. gRPC's library cannot close one from a handler; the call then
ends as it does when a connection breaks (UNAVAILABLE, in the words that grpcio has for it).
"""

import threading

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.faults import BEFORE, Fault, Faults, Kind
from gpupipe.localcloud.kernel.timers import Timers
from gpupipe.localcloud.transport.wire import Wire

# What grpcio 1.x says of a connection that the server closed during a call.
BROKEN = "Stream removed (Socket closed)"
_LOST = frozenset({Kind.LOST})


class CallFaults:
    """Applies the faults of `faults` around calls."""

    def __init__(self, faults: Faults, timers: Timers) -> None:
        self._faults = faults
        self._timers = timers
        self._lock = threading.Lock()
        self._held: set[threading.Event] = set()
        self._closed = False

    def before(self, method: str, wire: Wire) -> None:
        """Meet the next fault that comes before the work; ServiceError when it is not to be done."""
        fault = self._faults.take(method, BEFORE)
        if fault is None:
            return
        if fault.kind is Kind.STALL:
            self.hold(fault.seconds, wire)
        else:
            raise _broken(fault, wire)

    def after(self, method: str, wire: Wire) -> None:
        """Meet the next fault that loses the answer."""
        fault = self._faults.take(method, _LOST)
        if fault is not None:
            raise _broken(fault, wire)

    def hold(self, seconds: float, wire: Wire) -> None:
        """Wait; CANCELLED when the client goes away before the time is up."""
        over = threading.Event()
        timer = self._timers.call_later(seconds, over.set)
        with self._lock:
            self._held.add(over)
        forget = wire.on_gone(over.set)
        # Looked at after it was noted among those held, so that `close` cannot be missed.
        if not self._closed:
            over.wait()
        forget()
        timer.cancel()
        with self._lock:
            self._held.discard(over)
        if wire.gone:
            raise ServiceError(Code.CANCELLED, "The client went away while the call was held up.")

    def release(self) -> None:
        """End all waiting: the faults were cleared."""
        with self._lock:
            for over in self._held:
                over.set()

    def close(self) -> None:
        """End all waiting for good: the local cloud ends."""
        self._closed = True
        self.release()


def _broken(fault: Fault, wire: Wire) -> ServiceError:
    if fault.code is not None:
        return fault.error()
    wire.reset()
    return ServiceError(Code.UNAVAILABLE, BROKEN)
