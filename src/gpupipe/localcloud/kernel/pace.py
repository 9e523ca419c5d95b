"""How long the operation that the present call starts takes, and whether it ends in an error.

The transport says in `METHOD` which call a thread is in; the typical durations, when they are on,
and the faults of that method decide.
"""

from contextvars import ContextVar

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.behaviour import Behaviour
from gpupipe.localcloud.kernel.faults import Faults, Kind
from gpupipe.localcloud.kernel.latency import call_s, operation_s

METHOD: ContextVar[str] = ContextVar("METHOD", default="")


class Pace:
    """Asked by operations and by the transport; everything is 0 until somebody changes it."""

    def __init__(self, behaviour: Behaviour, faults: Faults) -> None:
        self._behaviour = behaviour
        self._faults = faults

    def call_s(self, *, writes: bool) -> float:
        """Seconds that a call takes longer."""
        return self._behaviour.latency_factor * call_s(writes=writes)

    def operation_s(self) -> float:
        """Seconds that the operation of the present call takes longer; counts its fault."""
        method = METHOD.get()
        slow = self._faults.take(method, frozenset({Kind.SLOW})) if method else None
        typical = operation_s(method) if method else 0.0
        return self._behaviour.latency_factor * typical + (slow.seconds if slow else 0.0)

    def operation_error(self) -> ServiceError | None:
        """The error that the operation of the present call ends with; counts its fault."""
        failing = self._faults.take(METHOD.get(), frozenset({Kind.OPERATION}))
        return failing.error() if failing else None
