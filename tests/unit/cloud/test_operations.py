"""Long-running operations: waited for on the injected clock, with progress and a deadline."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core import exceptions as api
from tests.support.clock import FakeClock

from gpupipe.cloud.call import Caller, Wait
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.operations import finish
from gpupipe.core.errors import GpupipeError

WHAT, RESOURCE = "Creating the service", "projects/p/locations/l/services/s"


class Operation:
    """Is done after so many questions; each `down` fails one of them first."""

    def __init__(
        self, questions: int, outcome: Any = "service", down: tuple[Exception, ...] = ()
    ) -> None:
        self.operation = SimpleNamespace(name="projects/p/locations/l/operations/o")
        self._left, self._outcome, self._down = questions, outcome, list(down)
        self.asked = 0

    def done(self, retry: Any) -> bool:
        self.asked += 1
        if self._down:
            raise self._down.pop(0)
        self._left -= 1
        return self._left < 0

    def result(self, timeout: float) -> Any:
        assert timeout == 0
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def test_an_operation_that_is_done_is_not_waited_for() -> None:
    clock = FakeClock()
    assert finish(Caller(clock), WHAT, RESOURCE, Operation(0), 60.0) == "service"
    assert clock.slept == []


def test_pauses_grow_to_ten_seconds_and_are_told() -> None:
    clock, told = FakeClock(), list[Wait]()
    finish(Caller(clock, on_wait=told.append), WHAT, RESOURCE, Operation(40), 1800.0)
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1]) == (0.05, 10.0)
    assert {wait.what for wait in told} == {"creating the service"}
    assert [wait.elapsed_s for wait in told] == [sum(clock.slept[:n]) for n in range(40)]


def test_the_local_cloud_is_asked_at_least_twice_a_second() -> None:
    clock = FakeClock()
    finish(Caller(clock, hurry=0.01), WHAT, RESOURCE, Operation(30), 60.0)
    assert max(clock.slept) == 0.5


def test_a_deadline_that_passes_says_what_was_waited_for_and_that_it_goes_on() -> None:
    clock = FakeClock()
    with pytest.raises(GpupipeError, match="did not finish within 30 minutes") as caught:
        finish(Caller(clock), WHAT, RESOURCE, Operation(10**6), 1800.0)
    error = caught.value
    assert not isinstance(error, ApiError)
    assert error.brief.startswith(WHAT)
    assert error.resource == RESOURCE
    assert "operations/o goes on" in (error.details or "")
    assert "same command again" in error.resolution
    assert 1800.0 < clock.monotonic() <= 1810.0


def test_an_operation_that_failed_is_an_error_of_its_resource() -> None:
    failed = Operation(1, api.FailedPrecondition("The container did not listen."))
    with pytest.raises(ApiError, match="the state does not allow it") as caught:
        finish(Caller(FakeClock()), WHAT, RESOURCE, failed, 60.0)
    assert caught.value.resource == RESOURCE
    assert "did not listen" in (caught.value.details or "")


def test_an_api_that_is_down_for_a_moment_does_not_end_the_wait() -> None:
    operation = Operation(1, down=(api.ServiceUnavailable("down"), api.ServiceUnavailable("down")))
    assert finish(Caller(FakeClock()), WHAT, RESOURCE, operation, 60.0) == "service"
    assert operation.asked == 4
