"""The ports: what a workflow may do to the world. Whoever runs one brings the other side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Auth:
    """How a request signs in: "OIDC" with an audience, or "OAuth2" with scopes."""

    type: str
    audience: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request; `timeout` in seconds, `query` in order with repeated keys."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    body: bytes | None
    timeout: float
    auth: Auth | None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response; header names in canonical form ("Content-Type")."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ConnectionFailed(Exception):  # noqa: N818  # the language's ConnectionFailedError
    """No connection came about."""


class ConnectionBroken(Exception):  # noqa: N818  # the language's ConnectionError
    """The connection broke after it stood."""


class RequestTimeout(Exception):  # noqa: N818  # the language's TimeoutError
    """The answer did not come in time."""


class AuthFailed(Exception):  # noqa: N818  # the language's AuthError
    """No credentials could be made for the call."""


class HttpCaller(Protocol):
    """Sends requests; raises the four errors above and nothing else."""

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Send and wait for the whole answer."""


class Clock(Protocol):
    """Time for workflows."""

    def now(self) -> float:
        """Seconds since 1970."""

    async def sleep(self, seconds: float) -> None:
        """Wait without holding a thread."""

    async def yield_(self) -> None:
        """Let others run."""


class Log(Protocol):
    """Where `sys.log` writes."""

    def write(self, severity: str, payload: Any) -> None:
        """One entry: a text or a value that is written as JSON."""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """A call of a callback endpoint; names of headers and of the query with all of their values."""

    method: str
    url: str
    headers: Mapping[str, list[str]]
    query: Mapping[str, list[str]]
    body: bytes
    received_time: str


class UnknownCallback(Exception):  # noqa: N818  # the language's ValueError
    """The execution has no such callback endpoint."""


class Callbacks(Protocol):
    """Endpoints that others call."""

    async def create(self, method: str) -> str:
        """The address of a new endpoint for one HTTP method."""

    async def wait(self, url: str, seconds: float) -> CallbackRequest:
        """The next call of an endpoint, also one that came before; RequestTimeout, UnknownCallback."""


@dataclass(frozen=True, slots=True)
class Effects:
    """All ports of one execution."""

    http: HttpCaller
    clock: Clock
    log: Log
    callbacks: Callbacks
    new_uuid: Callable[[], str]
