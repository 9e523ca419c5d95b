"""What the libraries raise, as errors in four parts: what, on which resource, what next, where to read."""

from types import SimpleNamespace

import google.auth.exceptions as auth
import grpc
import pytest
import requests
from google.api_core import exceptions as api
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from gpupipe.cloud.errors import ApiError, Refusal, is_code, refusal_of, translated
from gpupipe.core.errors import Exit, GpupipeError

WHAT, RESOURCE = "Creating the bucket", "buckets/b"
LIBRARY = "text of the library"


def caught(error: Exception) -> ApiError:
    """What becomes of an error."""
    with pytest.raises(ApiError) as found, translated(WHAT, RESOURCE):
        raise error
    assert found.value.__cause__ is error
    return found.value


# raised -> canonical code, exit code
TABLE: list[tuple[Exception, str, Exit]] = [
    (api.BadRequest(LIBRARY), "INVALID_ARGUMENT", Exit.FAILED),
    (api.InvalidArgument(LIBRARY), "INVALID_ARGUMENT", Exit.FAILED),
    (api.FailedPrecondition(LIBRARY), "FAILED_PRECONDITION", Exit.FAILED),
    (api.PreconditionFailed(LIBRARY), "FAILED_PRECONDITION", Exit.FAILED),
    (api.Unauthorized(LIBRARY), "UNAUTHENTICATED", Exit.CREDENTIALS),
    (api.Unauthenticated(LIBRARY), "UNAUTHENTICATED", Exit.CREDENTIALS),
    (api.Forbidden(LIBRARY), "PERMISSION_DENIED", Exit.CREDENTIALS),
    (api.PermissionDenied(LIBRARY), "PERMISSION_DENIED", Exit.CREDENTIALS),
    (api.NotFound(LIBRARY), "NOT_FOUND", Exit.FAILED),
    (api.Conflict(LIBRARY), "ALREADY_EXISTS", Exit.FAILED),
    (api.AlreadyExists(LIBRARY), "ALREADY_EXISTS", Exit.FAILED),
    (api.Aborted(LIBRARY), "ABORTED", Exit.FAILED),
    (api.TooManyRequests(LIBRARY), "RESOURCE_EXHAUSTED", Exit.FAILED),
    (api.ResourceExhausted(LIBRARY), "RESOURCE_EXHAUSTED", Exit.FAILED),
    (api.Cancelled(LIBRARY), "CANCELLED", Exit.FAILED),
    (api.InternalServerError(LIBRARY), "INTERNAL", Exit.FAILED),
    (api.MethodNotImplemented(LIBRARY), "UNIMPLEMENTED", Exit.FAILED),
    (api.BadGateway(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (api.ServiceUnavailable(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (api.GatewayTimeout(LIBRARY), "DEADLINE_EXCEEDED", Exit.FAILED),
    (api.DeadlineExceeded(LIBRARY), "DEADLINE_EXCEEDED", Exit.FAILED),
    (api.Unknown(LIBRARY), "UNKNOWN", Exit.FAILED),
    (api.DataLoss(LIBRARY), "DATA_LOSS", Exit.FAILED),
    (auth.RefreshError(LIBRARY), "UNAUTHENTICATED", Exit.CREDENTIALS),
    (auth.TransportError(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (auth.RefreshError(LIBRARY, retryable=True), "UNAVAILABLE", Exit.FAILED),
    (auth.DefaultCredentialsError(LIBRARY), "UNAUTHENTICATED", Exit.CREDENTIALS),
    (requests.ConnectionError(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (requests.Timeout(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (ConnectionResetError(LIBRARY), "UNAVAILABLE", Exit.FAILED),
    (TimeoutError(LIBRARY), "UNAVAILABLE", Exit.FAILED),
]


@pytest.mark.parametrize(
    ("error", "code", "exit_code"), TABLE, ids=[type(row[0]).__name__ for row in TABLE]
)
def test_an_error_of_a_library_has_four_parts(error: Exception, code: str, exit_code: Exit) -> None:
    found = caught(error)
    assert found.refusal.code == code
    assert found.exit is exit_code
    assert found.brief.startswith("Creating the bucket failed: ")
    assert found.brief.endswith(".")
    assert LIBRARY not in found.brief
    assert found.resource == RESOURCE
    assert (found.details or "").startswith(f"{code}: ")
    assert LIBRARY in (found.details or "")
    assert found.resolution
    assert LIBRARY not in found.resolution
    assert found.doc.startswith("reference/errors.md")


def test_an_error_over_grpc_has_the_code_of_the_wire() -> None:
    """DEADLINE_EXCEEDED is 504 and UNKNOWN is 500: the wire's own code is kept."""
    error = api.from_grpc_status(grpc.StatusCode.DATA_LOSS, LIBRARY)
    assert caught(error).refusal.code == "DATA_LOSS"
    assert caught(api.GoogleAPICallError(LIBRARY)).refusal.code == "UNKNOWN"


def test_the_reason_of_error_info_decides_before_the_code() -> None:
    error = api.PermissionDenied(
        LIBRARY, error_info=SimpleNamespace(reason="SERVICE_DISABLED", domain="d", metadata={"service": "run"})
    )  # fmt: skip
    found = caught(error)
    assert found.refusal.reason == "SERVICE_DISABLED"
    assert found.refusal.metadata == (("service", "run"),)
    assert found.details == f"PERMISSION_DENIED (SERVICE_DISABLED): {LIBRARY}"
    assert "Enable the API" in found.resolution
    assert found.exit is Exit.FAILED


def test_storage_says_its_reason_in_json() -> None:
    found = caught(api.PreconditionFailed(LIBRARY, errors=[{"reason": "conditionNotMet"}]))
    assert found.refusal.reason == "conditionNotMet"


def test_how_long_to_wait_is_read_from_both_protocols() -> None:
    grpc_error = api.ResourceExhausted(
        LIBRARY, details=[RetryInfo(retry_delay=Duration(seconds=7, nanos=500_000_000))]
    )
    assert refusal_of(grpc_error).retry_after_s == 7.5
    response = requests.Response()
    response.headers["Retry-After"] = "9"
    assert refusal_of(api.TooManyRequests(LIBRARY, response=response)).retry_after_s == 9.0
    response.headers["Retry-After"] = "Wed, 21 Oct 2026 07:28:30 GMT"
    # A date without one to compare it with says nothing: the clocks may differ.
    assert refusal_of(api.TooManyRequests(LIBRARY, response=response)).retry_after_s is None
    for date, seconds in (("07:28:00", 30.0), ("07:29:00", 0.0)):
        response.headers["Date"] = f"Wed, 21 Oct 2026 {date} GMT"
        found = refusal_of(api.TooManyRequests(LIBRARY, response=response))
        assert found.retry_after_s == seconds
    response.headers["Retry-After"] = "soon"
    assert refusal_of(api.TooManyRequests(LIBRARY, response=response)).retry_after_s is None


def test_a_token_in_the_text_of_an_error_is_not_shown() -> None:
    found = caught(api.Unauthenticated("Bearer ya29.abcdefghijklmnop was refused"))
    assert "ya29" not in (found.details or "")
    assert "[redacted]" in (found.details or "")


def test_our_own_errors_and_bugs_pass_through() -> None:
    own = GpupipeError("Ours.", resolution="Do.", doc="reference/errors.md")
    for error in (own, ValueError("a bug")):
        with pytest.raises(type(error)) as found, translated(WHAT, RESOURCE):
            raise error
        assert found.value is error


def test_an_error_is_asked_for_its_code() -> None:
    own = GpupipeError("Ours.", resolution="Do.", doc="reference/errors.md")
    assert is_code(caught(api.NotFound(LIBRARY)), "ABORTED", "NOT_FOUND")
    assert not is_code(caught(api.NotFound(LIBRARY)), "ABORTED")
    assert not is_code(own, "NOT_FOUND")


@pytest.mark.parametrize(
    ("refusal", "permission", "role"),
    [
        (Refusal("PERMISSION_DENIED", "IAM_PERMISSION_DENIED", "no",
                 (("permission", "run.services.create"),)),
         "run.services.create", "roles/run.admin"),
        (Refusal("PERMISSION_DENIED", "", "Permission 'iam.serviceaccounts.actAs' denied on service "
                 "account a@p.iam.gserviceaccount.com (or it may not exist)."),
         "iam.serviceaccounts.actAs", "roles/iam.serviceAccountUser"),
        (Refusal("PERMISSION_DENIED", "forbidden", "me@x does not have storage.buckets.create access "
                 "to the Google Cloud Storage bucket."),
         "storage.buckets.create", "roles/storage.admin"),
        (Refusal("PERMISSION_DENIED", "", 'Permission "eventarc.triggers.create" denied on "p"'),
         "eventarc.triggers.create", "roles/eventarc.admin"),
    ],
)  # fmt: skip
def test_a_denied_call_says_which_permission_and_which_role_to_ask_for(
    refusal: Refusal, permission: str, role: str
) -> None:
    error = ApiError(refusal, what="Doing it", resource="projects/p")
    assert permission in error.resolution
    assert role in error.resolution
    assert error.exit is Exit.CREDENTIALS


def test_a_denied_call_that_names_nothing_names_no_role() -> None:
    error = ApiError(Refusal("PERMISSION_DENIED", "", "no"), what="Doing it", resource="projects/p")
    assert "roles/" not in error.resolution


# What gRPC's channel says when a connection breaks or cannot be made.
UNANSWERED = [
    requests.ConnectionError(LIBRARY),
    ConnectionResetError(LIBRARY),
    auth.TransportError(LIBRARY),
    api.ServiceUnavailable("failed to connect to all addresses; last error: UNAVAILABLE: reset"),
    api.ServiceUnavailable("Stream removed (recvmsg:Connection reset by peer (104))"),
    api.ServiceUnavailable("errors resolving run.invalid:443: [field:hostname lookup error]"),
]


@pytest.mark.parametrize("error", UNANSWERED, ids=range(len(UNANSWERED)))
def test_only_where_nobody_answered_the_api_could_not_be_reached(error: Exception) -> None:
    found = caught(error)
    assert "could not be reached" in found.brief
    assert "Check the connection" in found.resolution


@pytest.mark.parametrize("error", [api.ServiceUnavailable(LIBRARY), api.BadGateway(LIBRARY)])
def test_an_api_that_says_it_is_unavailable_was_reached(error: Exception) -> None:
    found = caught(error)
    assert "answered that it is unavailable" in found.brief
    assert "connection" not in found.resolution


def test_a_rate_limit_is_no_quota_that_is_used_up() -> None:
    limited = caught(api.TooManyRequests(LIBRARY, errors=[{"reason": "rateLimitExceeded"}]))
    assert "asked too often" in limited.brief
    assert "Wait" in limited.resolution
    used_up = caught(api.ResourceExhausted(LIBRARY))
    assert "a quota is used up" in used_up.brief
    assert "Ask for more quota" in used_up.resolution


def test_a_region_that_is_full_is_waited_for_or_given_more_quota() -> None:
    text = "Revision 'a-1' is not ready. Quota exceeded for total allowable memory per project per region."
    full = caught(api.FailedPrecondition(text))
    assert "what runs in the region takes all" in full.brief
    assert "idle instances" in full.resolution
    assert full.exit is Exit.FAILED
