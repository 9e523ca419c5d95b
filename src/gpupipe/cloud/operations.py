"""Waits for long-running operations, with progress, on the injected clock."""

from typing import Any

from gpupipe.cloud.call import Caller, Wait
from gpupipe.cloud.clients import module
from gpupipe.cloud.errors import translated
from gpupipe.core.errors import GpupipeError

CREATE_S = 30 * 60.0
UPDATE_S = 20 * 60.0
DELETE_S = 15 * 60.0


def finish(caller: Caller, what: str, resource: str, operation: Any, deadline_s: float) -> Any:
    """The operation's response. ApiError when it failed, GpupipeError when the deadline passed.

    A deadline that passes does not stop the operation: running the command again finds its result.
    """
    began = caller.clock.monotonic()
    never = module("google.api_core.retry").Retry(predicate=lambda _: False)
    pause = 0.05
    while not caller.call(what, resource, lambda: operation.done(retry=never)):
        elapsed = caller.clock.monotonic() - began
        if elapsed > deadline_s:
            raise _too_slow(what, resource, operation.operation.name, deadline_s)
        caller.on_wait(Wait(what[0].lower() + what[1:], elapsed, deadline_s))
        caller.clock.sleep(pause)
        pause = min(pause * 1.5, max(0.5, 10.0 * caller.hurry))
    with translated(what, resource):
        return operation.result(timeout=0)


def _too_slow(what: str, resource: str, name: str, deadline_s: float) -> GpupipeError:
    return GpupipeError(
        f"{what} did not finish within {deadline_s / 60:.0f} minutes.",
        resource=resource,
        details=f"The operation {name} goes on.",
        resolution="Run the same command again: it finds what is there and finishes the rest.",
        doc="reference/errors.md#deadline",
    )
