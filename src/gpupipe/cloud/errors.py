"""A Google exception as ours: code, reason and resource, with what to do next. Mapped in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from gpupipe.cloud.permissions import missing_permission, role_for
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.redact import redact


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an API said: canonical code ("PERMISSION_DENIED"), reason of ErrorInfo ("" = none), text.

    answered: a server said it; False where the call or its answer was lost on the way.
    nobody_listens: the connection was refused, so the call was not even sent.
    """

    code: str
    reason: str
    message: str
    metadata: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None
    answered: bool = True
    nobody_listens: bool = False

    @property
    def rate_limit(self) -> bool:
        """Too many calls in a short time, so that nothing was done; not a quota that is used up."""
        waits = self.retry_after_s is not None or self.reason in _RATE_LIMITS
        return self.code == "RESOURCE_EXHAUSTED" and waits


# gRPC's reason, and Storage's for the same.
_RATE_LIMITS = frozenset({"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"})


class ApiError(GpupipeError):
    """An API refused a call; `refusal` is what it said, `resource` what the call was about."""

    def __init__(self, refusal: Refusal, *, what: str, resource: str) -> None:
        advice = _advice(refusal)
        super().__init__(
            f"{what} failed: {_MEANING.get(_kind(refusal), 'the API refused it')}.",
            resource=resource,
            details=f"{refusal.code}{_bracket(refusal.reason)}: {redact(refusal.message)}",
            resolution=advice[0],
            doc=advice[1],
            exit=advice[2],
        )
        self.refusal = refusal


_MEANING = {
    "NOT_FOUND": "it does not exist",
    "ALREADY_EXISTS": "it exists already",
    "PERMISSION_DENIED": "the permission is missing",
    "UNAUTHENTICATED": "the credentials were not accepted",
    "INVALID_ARGUMENT": "the API does not accept the request",
    "FAILED_PRECONDITION": "the state does not allow it",
    "RESOURCE_EXHAUSTED": "a quota is used up",
    "REGION_FULL": "what runs in the region takes all that a quota allows",
    "KEY": "a service agent of Google's may not use the key",
    "RATE_LIMIT": "the API was asked too often in a short time",
    "UNREACHABLE": "the API could not be reached",
    "UNAVAILABLE": "the API answered that it is unavailable",
    "DEADLINE_EXCEEDED": "the API did not answer in time",
    "ABORTED": "somebody else changed it at the same time",
    "UNIMPLEMENTED": "this is not available here",
}
# Cloud Run's words, for CPU, memory and GPUs.
_KEY = "Cloud KMS key"
_REGION_FULL = "Quota exceeded for total allowable "
_Advice = tuple[str, str, Exit]
_UNKNOWN: _Advice = ("Run the same command again; it goes on where it stopped.",
                     "reference/errors.md", Exit.FAILED)  # fmt: skip
_ADVICE: dict[str, _Advice] = {
    "PERMISSION_DENIED": (
        "Ask for a role with the permission named above, then run the same command again.",
        "reference/errors.md#permission",
        Exit.CREDENTIALS,
    ),
    "UNAUTHENTICATED": (
        "Sign in again: gcloud auth application-default login (local: gpupipe local stop, then again).",
        "reference/errors.md#credentials",
        Exit.CREDENTIALS,
    ),
    "SERVICE_DISABLED": (
        "Enable the API named above, or run gpupipe deploy, which enables what it needs.",
        "reference/errors.md#api-not-enabled",
        Exit.FAILED,
    ),
    "RESOURCE_EXHAUSTED": (
        "Ask for more quota, or lower max_instances; then run the same command again.",
        "reference/errors.md#quota",
        Exit.FAILED,
    ),
    "INVALID_ARGUMENT": (
        "Change the value that is named above; nothing was changed by this call.",
        "reference/errors.md#refused",
        Exit.FAILED,
    ),
    "REGION_FULL": (
        "Wait until idle instances have ended (about 15 minutes) or ask for more quota; then run it again.",
        "reference/errors.md#quota",
        Exit.FAILED,
    ),
    "KEY": (
        "Grant the role on the key: gpupipe doctor shows the command; then run the same command again.",
        "reference/configuration.md#a-key-of-your-own",
        Exit.CREDENTIALS,
    ),
    "RATE_LIMIT": (
        "Wait a minute, then run the same command again; --parallelism 1 asks less often.",
        "reference/errors.md#quota",
        Exit.FAILED,
    ),
    "UNAVAILABLE": (
        "Wait a minute, then run the same command again; it goes on where it stopped.",
        "reference/errors.md#unavailable",
        Exit.FAILED,
    ),
    "UNREACHABLE": (
        "Check the connection (local: gpupipe local status), then run the same command again.",
        "reference/errors.md#unavailable",
        Exit.FAILED,
    ),
}


def _kind(refusal: Refusal) -> str:
    """The code, split where one code stands for what people must tell apart."""
    if refusal.rate_limit:
        return "RATE_LIMIT"
    if refusal.code == "PERMISSION_DENIED" and _KEY in refusal.message:
        return "KEY"
    if _REGION_FULL in refusal.message:
        return "REGION_FULL"
    return refusal.code if refusal.answered or refusal.code != "UNAVAILABLE" else "UNREACHABLE"


def _advice(refusal: Refusal) -> _Advice:
    found = _ADVICE.get(refusal.reason) or _ADVICE.get(_kind(refusal)) or _UNKNOWN
    if found is not _ADVICE["PERMISSION_DENIED"]:
        return found
    permission = missing_permission(refusal.message, dict(refusal.metadata))
    role = role_for(permission)
    if not role:
        return found
    what = (
        f"Ask for {role} on the project (it holds {permission}), then run the same command again."
    )
    return what, found[1], found[2]


def _bracket(reason: str) -> str:
    return f" ({reason})" if reason else ""


def refusal_of(error: Any) -> Refusal:
    """What a google.api_core exception says; codes are the same over gRPC and HTTP."""
    reason = getattr(error, "reason", None) or _json_reason(error)
    metadata = getattr(error, "metadata", None) or {}
    return Refusal(
        code=_code(error),
        reason=str(reason),
        message=str(getattr(error, "message", error)),
        metadata=tuple(sorted((str(key), str(value)) for key, value in metadata.items())),
        retry_after_s=_retry_after(error),
        answered=not _lost_by_grpc(error),
        nobody_listens=_refused_by_grpc(error),
    )


# Of gRPC's C core, which gives no other sign: the channel's own words and the system's.
_NO_CHANNEL = "failed to connect to all addresses"
_SYSTEM_SAYS = "Connection refused"
_CHANNEL_SAYS = (_NO_CHANNEL, "errors resolving ", "Stream removed (", "Socket closed")


def _refused_by_grpc(error: Any) -> bool:
    """Whether gRPC's channel found nobody at the address. A server's own UNAVAILABLE is not that."""
    text = str(getattr(error, "message", ""))
    return _code(error) == "UNAVAILABLE" and _NO_CHANNEL in text and _SYSTEM_SAYS in text


def _lost_by_grpc(error: Any) -> bool:
    """Whether gRPC's channel says so, in words that no server has sent."""
    text = str(getattr(error, "message", ""))
    return _code(error) == "UNAVAILABLE" and text.startswith(_CHANNEL_SAYS)


def _refused_by_http(error: BaseException) -> bool:
    """Whether requests found nobody at the address; it keeps the system's error below its own."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, ConnectionRefusedError):
        below = below.__cause__ or below.__context__
    return below is not None


def _json_reason(error: Any) -> str:
    """The reason of Storage's JSON errors ("conflict", "conditionNotMet", …)."""
    found = next(iter(getattr(error, "errors", None) or ()), None)
    return str(found.get("reason", "")) if isinstance(found, dict) else ""


_BY_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "UNAVAILABLE", 409: "ALREADY_EXISTS", 412: "FAILED_PRECONDITION", 416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED",
    502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def _code(error: Any) -> str:
    status = getattr(error, "grpc_status_code", None)
    if status is not None:
        return str(status.name)
    number = getattr(error, "code", None)
    return _BY_STATUS.get(int(number), "UNKNOWN") if number is not None else "UNKNOWN"


def _retry_after(error: Any) -> float | None:
    for detail in getattr(error, "details", None) or ():
        delay = getattr(detail, "retry_delay", None)
        if delay is not None:
            return float(delay.seconds) + float(delay.nanos) / 1e9
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    return _seconds_until(str(headers.get("Retry-After", "")), str(headers.get("Date", "")))


def _seconds_until(when: str, now: str) -> float | None:
    """Retry-After in either of its forms: seconds, or a date, which is compared with the answer's own."""
    if when.isdigit():
        return float(when)
    try:
        return max(0.0, (parsedate_to_datetime(when) - parsedate_to_datetime(now)).total_seconds())
    except (TypeError, ValueError):
        return None


def is_code(error: GpupipeError, *codes: str) -> bool:
    """Whether an error is an API's refusal with one of these codes."""
    return isinstance(error, ApiError) and error.refusal.code in codes


@contextmanager
def translated(what: str, resource: str) -> Iterator[None]:
    """Turn what the Google libraries raise inside the block into our errors."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    try:
        yield
    except api.GoogleAPICallError as error:
        raise ApiError(refusal_of(error), what=what, resource=resource) from error
    except auth.GoogleAuthError as error:
        # A token that could not be fetched for want of a connection says nothing about credentials.
        unreachable = isinstance(error, auth.TransportError) or error.retryable
        code = "UNAVAILABLE" if unreachable else "UNAUTHENTICATED"
        refusal = Refusal(code, "", str(error), answered=not unreachable)
        raise ApiError(refusal, what=what, resource=resource) from error
    except (requests.RequestException, OSError) as error:
        nobody = _refused_by_http(error)
        refusal = Refusal("UNAVAILABLE", "", str(error), answered=False, nobody_listens=nobody)
        raise ApiError(refusal, what=what, resource=resource) from error
