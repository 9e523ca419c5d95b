"""Faults on demand: the next N calls of a method fail with a code, and each one is accounted for.

`before` fails instead of doing the work; `after` does the work and then fails, as when an answer is
lost. Faults are for tests and for trying out retries; they live in memory.
"""

import threading
from dataclasses import dataclass
from enum import StrEnum

from gpupipe.localcloud.errors import Code, Details, ServiceError


class When(StrEnum):
    """Whether the work is done before the call fails."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(slots=True)
class Fault:
    """A fault of one method (its name as the request log has it); `left` counts down to 0."""

    method: str
    code: Code
    times: int
    when: When = When.BEFORE
    message: str = ""
    retry_after_s: float | None = None
    left: int = 0

    @property
    def consumed(self) -> int:
        """How many calls it has failed."""
        return self.times - self.left


class Faults:
    """The faults in force, in the order in which they were put in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

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

    def check(self, method: str, when: When) -> None:
        """Raise the next fault of a method, if there is one, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.left and fault.method == method and fault.when is when:
                    fault.left -= 1
                    raise _error(fault)


def _error(fault: Fault) -> ServiceError:
    message = fault.message or f"Injected fault: {fault.code.name} {fault.when} {fault.method}."
    return ServiceError(fault.code, message, Details(retry_after_s=fault.retry_after_s))
