"""The one error that a service answers with, and its JSON body.

Contract: `{"error": {"code", "class", "message", "details"}}`. The status tells the workflow
whether to try again (429 and 503: yes, with Retry-After; 5xx: a few times; 4xx: never), the class
tells the user whose problem it is: `input` (the file), `capacity` (come again) or `system`.
"""

from collections.abc import Mapping
from enum import StrEnum

JsonObject = dict[str, object]


class Blame(StrEnum):
    """What has to change for the request to work."""

    INPUT = "input"
    CAPACITY = "capacity"
    SYSTEM = "system"


class ProblemError(Exception):
    """A refusal with its HTTP status; `message` and `details` never hold the user's texts."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        blame: Blame = Blame.INPUT,
        details: Mapping[str, object] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.blame = blame
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s

    def body(self) -> JsonObject:
        """The JSON body of the answer."""
        return {
            "error": {
                "code": self.code,
                "class": self.blame.value,
                "message": self.message,
                "details": self.details,
            }
        }

    def headers(self) -> dict[str, str]:
        """Retry-After where trying again makes sense."""
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


class StartError(Exception):
    """The service cannot become ready; the message says why."""


class FatalStartError(StartError):
    """The service must not even stay up."""


def invalid(field: str, message: str) -> ProblemError:
    """A 400 that names the field."""
    return ProblemError(400, "invalid_request", f"{field}: {message}", details={"field": field})


def not_ready(reason: str) -> ProblemError:
    """A 503: the service has not finished starting, or could not."""
    message = f"the service is not ready: {reason}"
    return ProblemError(503, "not_ready", message, blame=Blame.CAPACITY, retry_after_s=1)
