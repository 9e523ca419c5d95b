"""Errors as an API answers them: a canonical code, a message and typed details.

Services raise `ServiceError`; only the transport knows how one looks as a gRPC status or as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Code(Enum):
    """Canonical codes: (number of google.rpc.Code, HTTP status)."""

    CANCELLED = (1, 499)
    UNKNOWN = (2, 500)
    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 409)
    OUT_OF_RANGE = (11, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    DATA_LOSS = (15, 500)
    UNAUTHENTICATED = (16, 401)

    @property
    def number(self) -> int:
        """The number of this code in google.rpc.Code."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status that JSON surfaces answer with."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request that is not acceptable, by its path in the request."""

    path: str
    description: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A precondition or quota that does not hold: what, on which subject."""

    kind: str
    subject: str
    description: str


@dataclass(frozen=True, slots=True)
class Details:
    """Typed details of an error; each becomes one google.rpc detail message when it is set."""

    reason: str | None = None
    domain: str = "googleapis.com"
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[FieldViolation, ...] = ()
    preconditions: tuple[Violation, ...] = ()
    quotas: tuple[Violation, ...] = ()
    retry_after_s: float | None = None
    help_links: tuple[tuple[str, str], ...] = ()


class ServiceError(Exception):
    """An API's refusal; the only exception that a handler raises on purpose."""

    def __init__(self, code: Code, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or Details()


def not_found(message: str) -> ServiceError:
    """The resource does not exist (or the caller may not know that it does)."""
    return ServiceError(Code.NOT_FOUND, message)


def already_exists(message: str) -> ServiceError:
    """A resource of that name exists."""
    return ServiceError(Code.ALREADY_EXISTS, message)


def invalid_argument(message: str, *paths: str) -> ServiceError:
    """The request is wrong whatever the state; `paths` name the fields at fault."""
    violations = tuple(FieldViolation(path, message) for path in paths)
    return ServiceError(Code.INVALID_ARGUMENT, message, Details(fields=violations))


def failed_precondition(message: str) -> ServiceError:
    """The request is well formed but the state does not allow it."""
    return ServiceError(Code.FAILED_PRECONDITION, message)


def unimplemented(what: str) -> ServiceError:
    """The local cloud does not emulate `what`: said by name, never a made-up success."""
    return ServiceError(Code.UNIMPLEMENTED, f"The local cloud does not emulate {what}.")
