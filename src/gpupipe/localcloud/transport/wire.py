"""The connection that a call came over, as far as faults need it: to break it, and to see it end."""

import asyncio
import threading
from collections.abc import Callable

import grpc
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_STATE = "wire"


def _nothing() -> None:
    """There is nothing to take back."""


class Wire:
    """A connection that cannot be broken and never ends; the others derive from it."""

    @property
    def gone(self) -> bool:
        """Whether the client went away."""
        return False

    def on_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call it once the client goes away, or at once; what is returned takes that back."""
        del callback
        return _nothing

    def reset(self) -> None:
        """Close the connection without an answer, where that can be done."""


NO_WIRE = Wire()


class GrpcWire(Wire):
    """One gRPC call: the library gives no way to close its connection."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    @property
    def gone(self) -> bool:
        """Whether the call has ended for the client (cancelled, deadline, connection)."""
        return not self._context.is_active()

    def on_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call it at the end of the call; not taken back, since a call ends soon."""
        if not self._context.add_callback(callback):
            callback()
        return _nothing


class HttpWire(Wire):
    """One connection of the HTTP listener."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return self._gone

    def on_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call it at the end of the connection."""
        with self._lock:
            if not self._gone:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return _nothing

    def reset(self) -> None:
        """Close it; what is still written to it goes nowhere."""
        self._loop.call_soon_threadsafe(self._transport.abort)

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def lost(self) -> None:
        """The connection has ended."""
        with self._lock:
            self._gone = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class WireProtocol(H11Protocol):
    """uvicorn's protocol, whose requests know their connection (see `wire_of`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the base
        """Remember the connection."""
        super().connection_made(transport)
        self._wire = HttpWire(transport, self.loop)
        self.app_state = {**self.app_state, _STATE: self._wire}

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        super().connection_lost(exc)
        self._wire.lost()


def wire_of(scope: Scope) -> Wire:
    """The connection of an HTTP request."""
    wire = scope.get("state", {}).get(_STATE, NO_WIRE)
    return wire if isinstance(wire, Wire) else NO_WIRE
