"""Long-running operations: waited for on the injected clock, with progress and a deadline."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core import exceptions as api
from tests.support.clock import FakeClock

from gpupipe.cloud.call import Caller, Wait
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.operations import ATTEMPTS, CREATE_S, DELETE_S, UPDATE_S, carry_out
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


def finish(caller: Caller, operation: Operation, deadline_s: float) -> Any:
    return carry_out(caller, WHAT, RESOURCE, lambda: operation, deadline_s)


def test_an_operation_that_is_done_is_not_waited_for() -> None:
    clock = FakeClock()
    assert finish(Caller(clock), Operation(0), 60.0) == "service"
    assert clock.slept == []


def test_pauses_grow_to_ten_seconds_and_are_told() -> None:
    clock, told = FakeClock(), list[Wait]()
    finish(Caller(clock, on_wait=told.append), Operation(200), 1800.0)
    assert clock.slept == sorted(clock.slept)
    assert all(
        pause <= max(0.5, wait.elapsed_s / 30 + 1e-9)
        for pause, wait in zip(clock.slept, told, strict=True)
    )
    assert (clock.slept[0], clock.slept[-1]) == (0.05, 10.0)
    assert {wait.what for wait in told} == {"the creation of the service"}
    assert [wait.elapsed_s for wait in told] == [sum(clock.slept[:n]) for n in range(200)]


def test_the_local_cloud_is_asked_at_least_twice_a_second() -> None:
    clock = FakeClock()
    finish(Caller(clock, hurry=0.01), Operation(30), 60.0)
    assert max(clock.slept) == 0.5


@pytest.mark.promise("S69")
def test_a_deadline_that_passes_says_what_was_waited_for_and_that_it_goes_on() -> None:
    clock = FakeClock()
    with pytest.raises(GpupipeError, match="did not finish within 30 minutes") as caught:
        finish(Caller(clock), Operation(10**6), CREATE_S)
    error = caught.value
    assert not isinstance(error, ApiError)
    assert error.brief.startswith(WHAT)
    assert error.resource == RESOURCE
    assert "operations/o goes on" in (error.details or "")
    assert "same command again" in error.resolution
    assert 1800.0 < clock.monotonic() <= 1810.0
    assert (CREATE_S, UPDATE_S, DELETE_S) == (1800.0, 1200.0, 900.0)


def test_an_operation_that_failed_is_an_error_of_its_resource() -> None:
    failed = Operation(1, api.FailedPrecondition("The container did not listen."))
    with pytest.raises(ApiError, match="the state does not allow it") as caught:
        finish(Caller(FakeClock()), failed, 60.0)
    assert caught.value.resource == RESOURCE
    assert "did not listen" in (caught.value.details or "")


def test_an_api_that_is_down_for_a_moment_does_not_end_the_wait() -> None:
    operation = Operation(1, down=(api.ServiceUnavailable("down"), api.ServiceUnavailable("down")))
    assert finish(Caller(FakeClock()), operation, 60.0) == "service"
    assert operation.asked == 4


def test_an_operation_that_ends_in_a_passing_error_is_asked_for_again() -> None:
    clock, told = FakeClock(), list[Wait]()
    operations = [
        Operation(0, api.ServiceUnavailable("busy")),
        Operation(0, api.InternalServerError("oops")),
        Operation(0),
    ]
    caller = Caller(clock, on_wait=told.append)
    assert carry_out(caller, WHAT, RESOURCE, lambda: operations.pop(0), 60.0) == "service"
    assert operations == []
    assert [wait.what for wait in told] == ["the API to be able to do it"] * 2
    for slept, pause in zip(clock.slept, [5, 10], strict=True):
        assert 0.75 * pause <= slept <= 1.25 * pause


def test_an_operation_that_always_ends_so_is_given_up() -> None:
    begun = list[Operation]()

    def begin() -> Operation:
        begun.append(Operation(0, api.ServiceUnavailable("busy")))
        return begun[-1]

    with pytest.raises(ApiError) as caught:
        carry_out(Caller(FakeClock()), WHAT, RESOURCE, begin, 60.0)
    assert caught.value.refusal.code == "UNAVAILABLE"
    assert len(begun) == ATTEMPTS


def test_an_operation_that_failed_for_good_is_begun_once() -> None:
    begun = list[Operation]()

    def begin() -> Operation:
        begun.append(Operation(0, api.FailedPrecondition("The container did not listen.")))
        return begun[-1]

    with pytest.raises(ApiError):
        carry_out(Caller(FakeClock()), WHAT, RESOURCE, begin, 60.0)
    assert len(begun) == 1


def test_an_api_that_stays_down_while_it_is_waited_for_gets_no_second_operation() -> None:
    """The first one goes on: only its own end says that another may be begun."""
    begun = list[Operation]()

    def begin() -> Operation:
        begun.append(Operation(0, down=(api.ServiceUnavailable("down"),) * 1000))
        return begun[-1]

    with pytest.raises(ApiError):
        carry_out(Caller(FakeClock()), WHAT, RESOURCE, begin, 1800.0)
    assert len(begun) == 1
