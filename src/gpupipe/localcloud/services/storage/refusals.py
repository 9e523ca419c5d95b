"""Refusals of Cloud Storage: HTTP status, reason and text, and how they look as JSON.

The JSON API has an error form of its own (`errors[].reason`) and statuses that no canonical code
has (304, 412, 416). Texts without a note are Google's as far as we know them from use; none was
recorded from a real call here, so programs should branch on status and reason.
"""

from typing import Any

from gpupipe.localcloud.errors import Code, Details, ServiceError

_CODES = {
    304: Code.ABORTED,
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ALREADY_EXISTS,
    410: Code.NOT_FOUND,
    412: Code.FAILED_PRECONDITION,
    416: Code.OUT_OF_RANGE,
    499: Code.CANCELLED,
    507: Code.RESOURCE_EXHAUSTED,
}
_REASONS = {
    Code.UNAUTHENTICATED: "required",
    Code.PERMISSION_DENIED: "forbidden",
    Code.NOT_FOUND: "notFound",
    Code.ALREADY_EXISTS: "conflict",
    Code.ABORTED: "conflict",
    Code.INVALID_ARGUMENT: "invalid",
    Code.FAILED_PRECONDITION: "failedPrecondition",
    Code.UNIMPLEMENTED: "notImplemented",
    Code.RESOURCE_EXHAUSTED: "rateLimitExceeded",
    Code.UNAVAILABLE: "backendError",
    Code.INTERNAL: "backendError",
}


class StorageError(ServiceError):
    """A refusal with the HTTP status and the reason that the JSON API uses."""

    def __init__(self, status: int, reason: str, message: str, code: Code | None = None) -> None:
        super().__init__(code or _CODES[status], message, Details(reason=reason))
        self.status = status
        self.reason = reason
        self.headers: dict[str, str] = {}


def bad_request(message: str, reason: str = "invalid") -> StorageError:
    """The request is wrong whatever the state."""
    return StorageError(400, reason, message)


def required(parameter: str) -> StorageError:
    """A parameter that the method cannot do without is missing."""
    return StorageError(400, "required", f"Required parameter: {parameter}")


def not_emulated(what: str) -> StorageError:
    """Said by name; 400, because gcloud repeats 5xx answers."""
    message = f"The local cloud does not emulate {what}."
    return StorageError(400, "notImplemented", message, Code.UNIMPLEMENTED)


def no_bucket() -> StorageError:
    """No bucket of that name exists in any project."""
    return StorageError(404, "notFound", "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> StorageError:
    """No such object, and the caller may know it."""
    return StorageError(404, "notFound", f"No such object: {bucket}/{name}")


def forbidden(email: str, permission: str) -> StorageError:
    """The caller lacks a permission; the same whether or not the resource exists."""
    kinds = {"objects": "object", "buckets": "bucket"}
    kind = kinds.get(permission.split(".")[1], "resource")
    return StorageError(
        403,
        "forbidden",
        f"{email} does not have {permission} access to the Google Cloud Storage {kind}. "
        f"Permission '{permission}' denied on resource (or it may not exist).",
    )


def billing_disabled() -> StorageError:
    """The bucket's project has no billing account; googleapis/python-storage#1456."""
    message = "The billing account for the owning project is disabled in state absent"
    return StorageError(403, "accountDisabled", message)


def condition_not_met() -> StorageError:
    """A precondition of the request does not hold."""
    message = "At least one of the pre-conditions you specified did not hold."
    return StorageError(412, "conditionNotMet", message)


def not_modified() -> StorageError:
    """A read whose NotMatch precondition says that the caller has it already."""
    return StorageError(304, "notModified", "Not Modified")


def no_space() -> StorageError:
    """The disk under the local cloud is full; nothing was stored (own words, a local rule)."""
    return StorageError(
        507,
        "insufficientStorage",
        "No space is left on the disk of the local cloud; nothing was stored. "
        "Free some space, or remove objects, and send it again.",
    )


def status_of(error: ServiceError) -> int:
    """The HTTP status of any refusal on this surface."""
    if isinstance(error, StorageError):
        return error.status
    return 400 if error.code is Code.UNIMPLEMENTED else error.code.http_status


def as_json(error: ServiceError) -> dict[str, Any]:
    """The body of a refusal in the form of the JSON API."""
    known = isinstance(error, StorageError)
    reason = error.reason if known else _REASONS.get(error.code, "backendError")  # type: ignore[attr-defined] # narrowed by `known`
    item = {"message": error.message, "domain": "global", "reason": reason}
    body = {"code": status_of(error), "message": error.message, "errors": [item]}
    return {"error": body}
