"""What is called again, how long after, and for how long: the retry table of `call`."""

import socket
from collections.abc import Callable

import grpc
import pytest
import requests
from google.api_core import exceptions as api
from google.api_core.grpc_helpers import wrap_errors
from google.auth.exceptions import RefreshError
from tests.support.clock import FakeClock

from gpupipe.cloud.call import (
    CONFLICT_ATTEMPTS,
    GRANT_S,
    TRANSIENT_DEADLINE_S,
    Caller,
    Cause,
    Presence,
    Wait,
    none_if_missing,
    poll,
)
from gpupipe.cloud.causes import API_USABLE
from gpupipe.cloud.errors import ApiError, Refusal
from gpupipe.core.errors import GpupipeError

WHAT, RESOURCE = "Creating the thing", "things/one"


class Api:
    """Raises the given errors one after the other, then answers; counts its calls."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answer"


class Down:
    """Never answers."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        raise self._error


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refusal(code: str, reason: str = "", retry_after_s: float | None = None) -> ApiError:
    return ApiError(
        Refusal(code, reason, "text", retry_after_s=retry_after_s), what=WHAT, resource=RESOURCE
    )


def http(kind: type[api.GoogleAPICallError], reason: str) -> api.GoogleAPICallError:
    """An error as Storage's JSON API sends it."""
    return kind("text", errors=[{"reason": reason}])


TRANSIENT = [
    api.ServiceUnavailable("down"),
    api.InternalServerError("oops"),
    api.BadGateway("proxy"),
    api.GatewayTimeout("slow"),
    api.DeadlineExceeded("slow"),
    requests.ConnectionError("dropped"),
    requests.Timeout("slow"),
    api.Aborted("another change is under way"),
    ConnectionResetError("dropped"),
]
RATE_LIMITS = [
    http(api.TooManyRequests, "rateLimitExceeded"),
    http(api.TooManyRequests, "userRateLimitExceeded"),
    refusal("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"),
    refusal("RESOURCE_EXHAUSTED", retry_after_s=3.0),
]
FINAL = [
    api.NotFound("gone"),
    api.AlreadyExists("there"),
    api.Forbidden("no"),
    api.PermissionDenied("no"),
    api.Unauthenticated("who"),
    api.InvalidArgument("wrong"),
    api.FailedPrecondition("state"),
    api.PreconditionFailed("generation"),
    api.MethodNotImplemented("what"),
    api.ResourceExhausted("the quota is used up"),
    RefreshError("expired"),
]


def names(errors: list[Exception]) -> list[str]:
    return [f"{type(error).__name__}-{index}" for index, error in enumerate(errors)]


@pytest.mark.parametrize("error", TRANSIENT + RATE_LIMITS, ids=names(TRANSIENT + RATE_LIMITS))
def test_a_transient_error_is_called_again(error: Exception) -> None:
    clock, attempt = FakeClock(), Api(error, error)
    assert Caller(clock).call(WHAT, RESOURCE, attempt) == "answer"
    assert attempt.calls == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("error", TRANSIENT, ids=names(TRANSIENT))
def test_a_write_that_must_not_happen_twice_is_not_called_again(error: Exception) -> None:
    """Its outcome is unknown: the caller reads back instead."""
    clock, attempt = FakeClock(), Down(error)
    with pytest.raises(ApiError):
        Caller(clock).call(WHAT, RESOURCE, attempt, idempotent=False)
    assert (attempt.calls, clock.slept) == (1, [])


@pytest.mark.parametrize("error", RATE_LIMITS, ids=names(RATE_LIMITS))
def test_a_rate_limit_did_nothing_so_every_write_is_called_again(error: Exception) -> None:
    clock, attempt = FakeClock(), Api(error, error)
    assert Caller(clock).call(WHAT, RESOURCE, attempt, idempotent=False) == "answer"
    assert attempt.calls == 3
    assert len(clock.slept) == 2


def test_a_create_that_was_done_without_an_answer_is_told_so_by_the_next() -> None:
    """The caller of `call` adopts what is there if it is ours, as it does with older things."""
    attempt = Api(ConnectionResetError("dropped"), api.AlreadyExists("there"))
    with pytest.raises(ApiError) as caught:
        Caller(FakeClock()).call(WHAT, RESOURCE, attempt)
    assert caught.value.refusal.code == "ALREADY_EXISTS"
    assert attempt.calls == 2


@pytest.mark.parametrize("error", FINAL, ids=names(FINAL))
def test_a_final_error_is_raised_at_once(error: Exception) -> None:
    clock, attempt = FakeClock(), Down(error)
    with pytest.raises(ApiError):
        Caller(clock).call(WHAT, RESOURCE, attempt)
    assert (attempt.calls, clock.slept) == (1, [])


def test_what_is_no_error_of_an_api_is_raised_as_it_is() -> None:
    clock, attempt = FakeClock(), Down(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        Caller(clock).call(WHAT, RESOURCE, attempt)
    assert (attempt.calls, clock.slept) == (1, [])


def test_pauses_double_up_to_fifteen_seconds_and_are_spread() -> None:
    clock = FakeClock()
    Caller(clock).call(WHAT, RESOURCE, Api(*[api.ServiceUnavailable("down")] * 7))
    for slept, ceiling in zip(clock.slept, [1, 2, 4, 8, 15, 15, 15], strict=True):
        assert 0.75 * ceiling <= slept <= 1.25 * ceiling


def test_two_callers_do_not_come_back_together() -> None:
    first, second = FakeClock(), FakeClock()
    for clock in (first, second):
        Caller(clock).call(WHAT, RESOURCE, Api(*[api.ServiceUnavailable("down")] * 5))
    assert first.slept != second.slept


def test_the_pause_that_the_api_asks_for_is_kept() -> None:
    clock = FakeClock()
    Caller(clock).call(WHAT, RESOURCE, Api(refusal("RESOURCE_EXHAUSTED", retry_after_s=42.0)))
    assert clock.slept == [42.0]


def test_an_api_that_stays_down_is_given_up_after_five_minutes() -> None:
    clock, attempt = FakeClock(), Down(api.ServiceUnavailable("down"))
    with pytest.raises(ApiError) as caught:
        Caller(clock).call(WHAT, RESOURCE, attempt)
    assert caught.value.refusal.code == "UNAVAILABLE"
    assert TRANSIENT_DEADLINE_S <= clock.monotonic() <= TRANSIENT_DEADLINE_S + 15 * 1.25
    assert attempt.calls > 15


def test_short_pauses_go_on_to_the_deadline_too() -> None:
    clock, attempt = FakeClock(), Down(api.ServiceUnavailable("down"))
    with pytest.raises(ApiError):
        Caller(clock, hurry=0.01).call(WHAT, RESOURCE, attempt)
    assert attempt.calls > 1500


def test_every_pause_is_told() -> None:
    clock, told = FakeClock(), list[Wait]()
    Caller(clock, on_wait=told.append).call(
        WHAT, RESOURCE, Api(*[api.ServiceUnavailable("down")] * 3)
    )
    assert [wait.what for wait in told] == ["the API to answer"] * 3
    assert [wait.elapsed_s for wait in told] == [0.0, clock.slept[0], sum(clock.slept[:2])]
    assert {wait.deadline_s for wait in told} == {TRANSIENT_DEADLINE_S}


def test_a_write_with_an_etag_goes_to_its_fresh_read_at_once() -> None:
    """Such writes are never `idempotent`: the same etag again could only be refused again."""
    clock, reads = FakeClock(), list[int]()
    write = Api(api.Aborted("somebody was faster"))
    caller = Caller(clock)

    def once() -> str:
        reads.append(write.calls)
        return caller.call(WHAT, RESOURCE, write, idempotent=False)

    assert caller.read_modify_write(once) == "answer"
    assert reads == [0, 1]


@pytest.mark.parametrize("error", TRANSIENT, ids=names(TRANSIENT))
def test_a_write_with_an_etag_that_got_no_answer_is_read_again(error: Exception) -> None:
    reads, write = list[int](), Api(error)
    caller = Caller(FakeClock())

    def once() -> str:
        reads.append(write.calls)
        return caller.call(WHAT, RESOURCE, write, idempotent=False)

    assert caller.read_modify_write(once) == "answer"
    assert reads == [0, 1]


def test_a_read_before_a_write_is_given_up_once() -> None:
    clock, read = FakeClock(), Down(api.ServiceUnavailable("down"))
    caller = Caller(clock)
    with pytest.raises(ApiError):
        caller.read_modify_write(lambda: caller.call(WHAT, RESOURCE, read))
    assert clock.monotonic() <= TRANSIENT_DEADLINE_S + 15 * 1.25


def nobody_by_grpc() -> Exception:
    """What the gRPC library makes of a port that nobody listens at."""
    channel = grpc.insecure_channel(f"127.0.0.1:{free_port()}")
    call = channel.unary_unary("/a.B/C", None, None)
    try:
        wrap_errors(call)(b"", timeout=10)
    except api.GoogleAPICallError as error:
        return error
    finally:
        channel.close()
    raise AssertionError("somebody answered")


def nobody_by_http() -> Exception:
    """What requests makes of it."""
    try:
        requests.get(f"http://127.0.0.1:{free_port()}", timeout=10)
    except requests.ConnectionError as error:
        return error
    raise AssertionError("somebody answered")


NOBODY = [nobody_by_grpc, nobody_by_http]


def ended() -> GpupipeError:
    return GpupipeError("It ended.", resolution="Run it again.", doc="reference/errors.md")


@pytest.mark.parametrize("nobody", NOBODY)
@pytest.mark.parametrize("idempotent", [True, False])
def test_where_nobody_listens_a_server_that_may_be_gone_is_given_up_soon(
    nobody: Callable[[], Exception],
    idempotent: bool,  # a parameter of the test
) -> None:
    clock, attempt = FakeClock(), Down(nobody())
    caller = Caller(clock, hurry=0.05, presence=Presence(2.0, ended))
    with pytest.raises(GpupipeError, match="It ended") as caught:
        caller.call(WHAT, RESOURCE, attempt, idempotent=idempotent)
    assert isinstance(caught.value.__cause__, ApiError)
    assert 2.0 <= clock.monotonic() <= 3.0
    assert 2 <= attempt.calls <= 10


@pytest.mark.parametrize("nobody", NOBODY)
def test_a_server_that_comes_back_in_time_gets_the_call_even_a_write(
    nobody: Callable[[], Exception],
) -> None:
    attempt = Api(nobody(), nobody())
    caller = Caller(FakeClock(), hurry=0.05, presence=Presence(2.0, ended))
    assert caller.call(WHAT, RESOURCE, attempt, idempotent=False) == "answer"
    assert attempt.calls == 3


@pytest.mark.parametrize("nobody", NOBODY)
def test_without_a_server_of_ours_nobody_is_an_outage_like_others(
    nobody: Callable[[], Exception],
) -> None:
    clock = FakeClock()
    with pytest.raises(ApiError, match="could not be reached"):
        Caller(clock).call(WHAT, RESOURCE, Down(nobody()))
    assert clock.monotonic() >= TRANSIENT_DEADLINE_S


@pytest.mark.parametrize(
    "answered",
    [
        api.ServiceUnavailable("failed to connect to all addresses; it said so itself"),
        api.ServiceUnavailable("Connection refused"),
        requests.ConnectionError("dropped"),
        ConnectionResetError("dropped"),
    ],
    ids=repr,
)
def test_a_server_that_answers_or_drops_the_call_is_not_gone(answered: Exception) -> None:
    clock = FakeClock()
    caller = Caller(clock, presence=Presence(2.0, ended))
    with pytest.raises(ApiError):
        caller.call(WHAT, RESOURCE, Down(answered))
    assert clock.monotonic() >= TRANSIENT_DEADLINE_S


AGENT = Cause("the agent", 60.0, lambda found: found.code == "FAILED_PRECONDITION")


def test_a_cause_that_time_heals_is_waited_for_even_for_a_write_that_must_not_repeat() -> None:
    clock, told = FakeClock(), list[Wait]()
    attempt = Api(*[api.FailedPrecondition("no agent yet")] * 3)
    caller = Caller(clock, on_wait=told.append)
    assert caller.call(WHAT, RESOURCE, attempt, idempotent=False, causes=(AGENT,)) == "answer"
    assert {(wait.what, wait.deadline_s) for wait in told} == {("the agent", 60.0)}


def test_a_cause_has_its_own_deadline() -> None:
    clock = FakeClock()
    with pytest.raises(ApiError, match="the state does not allow it"):
        Caller(clock).call(
            WHAT, RESOURCE, Down(api.FailedPrecondition("no agent yet")), causes=(AGENT,)
        )
    assert 60.0 <= clock.monotonic() <= 60.0 + 15 * 1.25


def test_a_cause_that_comes_after_another_has_all_of_its_time_and_its_words() -> None:
    clock, told = FakeClock(), list[Wait]()
    down, early = api.ServiceUnavailable("down"), api.FailedPrecondition("no agent yet")
    attempt = Api(*[down] * 12, *[early] * 4)
    caller = Caller(clock, on_wait=told.append)
    assert caller.call(WHAT, RESOURCE, attempt, causes=(AGENT,)) == "answer"
    outage, agent = told[:12], told[12:]
    assert {(one.what, one.deadline_s) for one in outage} == {("the API to answer", 300.0)}
    assert outage[-1].elapsed_s > 60.0
    assert {(one.what, one.deadline_s) for one in agent} == {("the agent", 60.0)}
    assert agent[0].elapsed_s == 0.0
    assert agent[-1].elapsed_s < 60.0


def test_an_error_that_time_did_not_heal_says_what_was_waited_for() -> None:
    clock = FakeClock()
    with pytest.raises(ApiError) as caught:
        Caller(clock).call(
            WHAT, RESOURCE, Down(api.FailedPrecondition("no agent yet")), causes=(AGENT,)
        )
    *_, said = (caught.value.details or "").splitlines()
    assert said == f"Waited {clock.monotonic():.0f} s for the agent."
    with pytest.raises(ApiError) as at_once:
        Caller(clock).call(WHAT, RESOURCE, Down(api.InvalidArgument("no")))
    assert "Waited" not in (at_once.value.details or "")


def test_hurry_shortens_the_pauses_of_the_local_cloud() -> None:
    clock = FakeClock()
    Caller(clock, hurry=0.01).call(WHAT, RESOURCE, Api(api.ServiceUnavailable("down")))
    assert clock.slept[0] <= 0.0125


CONFLICTS: list[Callable[[], Exception]] = [
    lambda: refusal("ABORTED"),
    lambda: refusal("ALREADY_EXISTS", "conflict"),
]


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_conflict_is_read_and_written_again(conflict: Callable[[], Exception]) -> None:
    clock, attempt = FakeClock(), Api(conflict(), conflict())
    assert Caller(clock).read_modify_write(attempt) == "answer"
    assert attempt.calls == 3
    assert 0.1 <= clock.slept[0] <= 0.3
    assert 0.2 <= clock.slept[1] <= 0.6


def test_a_conflict_that_stays_is_given_up() -> None:
    clock, attempt = FakeClock(), Down(refusal("ABORTED"))
    with pytest.raises(ApiError, match="at the same time"):
        Caller(clock).read_modify_write(attempt)
    assert attempt.calls == CONFLICT_ATTEMPTS
    assert len(clock.slept) == CONFLICT_ATTEMPTS - 1


def test_any_other_error_ends_a_read_modify_write() -> None:
    clock, attempt = FakeClock(), Down(refusal("PERMISSION_DENIED"))
    with pytest.raises(ApiError):
        Caller(clock).read_modify_write(attempt)
    assert (attempt.calls, clock.slept) == (1, [])


@pytest.mark.parametrize("missing", [refusal("NOT_FOUND"), refusal("X", "SERVICE_DISABLED")])
def test_what_is_missing_is_none(missing: Exception) -> None:
    assert none_if_missing(Down(missing)) is None


def test_what_may_not_be_read_is_not_missing() -> None:
    with pytest.raises(ApiError):
        none_if_missing(Down(refusal("PERMISSION_DENIED")))


def test_poll_asks_until_there_is_an_answer() -> None:
    clock, told, answers = FakeClock(), list[Wait](), iter([None, None, 7])
    found = poll(
        Caller(clock, on_wait=told.append), "it", lambda: next(answers), deadline_s=9,
        error=AssertionError,  # type: ignore[arg-type]
    )  # fmt: skip
    assert found == 7
    assert [(wait.what, wait.elapsed_s) for wait in told] == [("it", 0.0), ("it", 1.0)]


def test_poll_gives_up_at_its_deadline() -> None:
    clock = FakeClock()
    late = GpupipeError("It did not come.", resolution="Wait.", doc="reference/errors.md")
    with pytest.raises(GpupipeError, match="did not come"):
        poll(Caller(clock), "it", lambda: None, deadline_s=5.0, error=lambda: late)
    assert clock.monotonic() == 5.0


def test_what_an_account_does_is_tried_again_until_a_new_grant_has_its_effect() -> None:
    clock, attempts = FakeClock(), []

    def attempt() -> str:
        attempts.append(clock.monotonic())
        if clock.monotonic() < 90:
            raise GpupipeError("denied", resolution="wait", doc="reference/errors.md")
        return "done"

    assert (
        Caller(clock).until_effective(
            attempt, lambda error: "rights" if error.brief == "denied" else ""
        )
        == "done"
    )
    assert len(attempts) > 2


def test_a_grant_that_never_comes_and_other_errors_are_final() -> None:
    clock, attempts = FakeClock(), []

    def attempt() -> None:
        attempts.append(clock.monotonic())
        raise GpupipeError("denied", resolution="wait", doc="reference/errors.md")

    with pytest.raises(GpupipeError):
        Caller(clock).until_effective(attempt, lambda _: "rights")
    assert GRANT_S <= attempts[-1] < GRANT_S + 60
    attempts.clear()
    with pytest.raises(GpupipeError):
        Caller(clock).until_effective(attempt, lambda _: "")
    assert len(attempts) == 1


def test_causes_that_hold_for_every_call() -> None:
    clock = FakeClock()
    caller = Caller(clock, always=(API_USABLE,))
    answers = iter([Refusal("PERMISSION_DENIED", "SERVICE_DISABLED", "not yet"), None])

    def attempt() -> str:
        if refusal := next(answers):
            raise ApiError(refusal, what="Reading", resource="projects/p")
        return "found"

    assert caller.call("Reading", "projects/p", attempt, idempotent=False) == "found"


def test_a_pause_longer_than_there_is_time_is_not_waited_for() -> None:
    clock = FakeClock()

    def attempt() -> str:
        refusal = Refusal("RESOURCE_EXHAUSTED", "", "full", retry_after_s=86_401.0)
        raise ApiError(refusal, what="Creating", resource="projects/p")

    with pytest.raises(ApiError):
        Caller(clock).call("Creating", "projects/p", attempt)
    assert clock.slept == []
