"""Faults on demand: what goes wrong with the next N calls of a method, each one accounted for.

For trying out how a client heals; they live in memory and end with the daemon. A surface tells at
which points of it faults can be put (`FaultPoint`); a fault elsewhere is refused by name.
"""

import difflib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gpupipe.localcloud.errors import Code, Details, ServiceError, invalid_argument


class Kind(StrEnum):
    """What goes wrong."""

    ERROR = "error"
    """Refused with `code`, before anything is done."""
    LOST = "lost"
    """Done, but the answer is `code`, or (without one) the connection breaks instead."""
    STALL = "stall"
    """Held up for `seconds`, then done; not done when the client goes away in between."""
    RESET = "reset"
    """The connection breaks before anything is done."""
    SLOW = "slow"
    """The operation that the method starts takes `seconds` longer."""
    OPERATION = "operation"
    """The operation that the method starts does its work, and then says that it failed."""
    DUPLICATE = "duplicate"
    """The event is delivered twice."""


CALL = frozenset({Kind.ERROR, Kind.LOST, Kind.STALL, Kind.RESET})
OF_OPERATION = frozenset({Kind.SLOW, Kind.OPERATION})
BEFORE = frozenset({Kind.ERROR, Kind.STALL, Kind.RESET})


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """A method's name as the request log has it, and what can go wrong there."""

    method: str
    kinds: frozenset[Kind] = CALL


@dataclass(slots=True)
class Fault:
    """A fault of one method; `left` counts down to 0. seconds: for STALL and SLOW."""

    method: str
    kind: Kind
    times: int = 1
    code: Code | None = None
    seconds: float = 0
    message: str = ""
    retry_after_s: float | None = None
    left: int = 0

    @property
    def consumed(self) -> int:
        """How often it has struck."""
        return self.times - self.left

    def error(self) -> ServiceError:
        """The refusal that a fault with a code stands for."""
        code = self.code or Code.UNAVAILABLE
        message = self.message or f"Injected fault: {self.kind} {code.name} of {self.method}."
        return ServiceError(code, message, Details(retry_after_s=self.retry_after_s))


class Faults:
    """The faults in force, in the order in which they were put in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._points: Mapping[str, frozenset[Kind]] = {}

    def know(self, points: Iterable[FaultPoint]) -> None:
        """Tell where faults can be put; from then on all else is refused."""
        self._points = {point.method: point.kinds for point in points}

    def check(self, fault: Fault) -> None:
        """INVALID_ARGUMENT for a fault at a point that there is not, or of a kind it cannot have."""
        kinds = self._points.get(fault.method)
        if kinds is None:
            raise _unknown(fault.method, self._points)
        if fault.kind not in kinds:
            can = ", ".join(sorted(kinds))
            message = f"{fault.method} cannot have a fault of the kind {fault.kind}; it can: {can}."
            raise invalid_argument(message, "kind")

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        fault.left = fault.times
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all faults and forget their account."""
        with self._lock:
            self._faults.clear()

    def account(self) -> tuple[Fault, ...]:
        """Every fault that was put in, with what is left of it."""
        with self._lock:
            return tuple(self._faults)

    def take(self, method: str, kinds: frozenset[Kind]) -> Fault | None:
        """The next fault of a method, counted as used; None when there is none."""
        with self._lock:
            for fault in self._faults:
                if fault.left and fault.method == method and fault.kind in kinds:
                    fault.left -= 1
                    return fault
        return None


def _unknown(method: str, points: Iterable[str]) -> ServiceError:
    near = difflib.get_close_matches(method, list(points), n=3, cutoff=0.5)
    hint = f" Close to it: {', '.join(near)}." if near else ""
    return invalid_argument(f"The local cloud has no method {method}.{hint}", "method")
