"""Changes that are long-running operations: begun, waited for with progress, on the injected clock.

An operation that ends in a transient error did not say that the change is impossible: it is asked
for again, a few times. What it may have left half done is found by that call like the result of an
answer that was lost (`call`).
"""

from collections.abc import Callable
from typing import Any

from gpupipe.cloud.call import Caller, Wait, is_transient
from gpupipe.cloud.clients import module
from gpupipe.cloud.errors import ApiError, translated
from gpupipe.core.errors import GpupipeError

CREATE_S = 30 * 60.0
UPDATE_S = 20 * 60.0
DELETE_S = 15 * 60.0
ATTEMPTS = 4
_PAUSE_S = 5.0
_FIRST_S, _QUICK_S, _LONGEST_S = 0.05, 0.5, 10.0
_NOUNS = {
    "Creating": "the creation of",
    "Updating": "the update of",
    "Deleting": "the deletion of",
    "Enabling": "the activation of",
}


def carry_out(
    caller: Caller,
    what: str,
    resource: str,
    begin: Callable[[], Any],
    deadline_s: float,
    *,
    api: str = "",
) -> Any:
    """The response of the operation that `begin` starts.

    ApiError when it failed, GpupipeError when an operation did not end in `deadline_s`: that does
    not stop it, and running the command again finds its result.
    """
    began = caller.clock.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        operation = begin()
        _wait(caller, what, resource, operation, deadline_s, api)
        try:
            with translated(what, resource):
                return operation.result(timeout=0)
        except ApiError as error:
            if attempt == ATTEMPTS or not is_transient(error.refusal):
                raise
        elapsed = caller.clock.monotonic() - began
        caller.on_wait(Wait("the API to be able to do it", elapsed, deadline_s))
        caller.clock.sleep(_PAUSE_S * 2 ** (attempt - 1) * caller.hurry * caller.spread())
    raise AssertionError("unreachable")


def _wait(
    caller: Caller, what: str, resource: str, operation: Any, deadline_s: float, api: str
) -> None:
    began = caller.clock.monotonic()
    never = module("google.api_core.retry").Retry(predicate=lambda _: False)
    pause = 0.0
    while not caller.call(what, resource, lambda: operation.done(retry=never), api=api):
        elapsed = caller.clock.monotonic() - began
        if elapsed > deadline_s:
            raise _too_slow(what, resource, operation.operation.name, deadline_s)
        caller.on_wait(Wait(_noun(what), elapsed, deadline_s))
        pause = look_again_s(elapsed, pause, max(_QUICK_S, _LONGEST_S * caller.hurry))
        caller.clock.sleep(pause)


def _noun(what: str) -> str:
    """A change as what is waited for: "Updating the service" is "the update of the service"."""
    verb, _, resource = what.partition(" ")
    return f"{_NOUNS[verb]} {resource}"


def look_again_s(elapsed_s: float, last_s: float, longest_s: float) -> float:
    """When to ask again what has been waited for for so long: quickly at first, then seldom.

    Its end is noticed late by a thirtieth of its duration at most, by half of that on average.
    """
    quick = min(max(last_s * 1.5, _FIRST_S), _QUICK_S)
    return min(max(quick, elapsed_s / 30), longest_s)


def _too_slow(what: str, resource: str, name: str, deadline_s: float) -> GpupipeError:
    return GpupipeError(
        f"{what} did not finish within {deadline_s / 60:.0f} minutes.",
        resource=resource,
        details=f"The operation {name} goes on.",
        resolution="Run the same command again: it finds what is there and finishes the rest.",
        doc="reference/errors.md#deadline",
    )
