"""The HTTP side that the services share: JSON in, JSON out, errors in one shape.

Contract: a handler takes the parsed body and gives the answer's object; a ProblemError becomes its
status and body; anything else becomes a 500 without details and a log line with them. A handler
whose client has gone is cancelled: a retry must not compete with what nobody waits for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from common import logs
from common.fields import Fields, parse_body
from common.problems import Blame, JsonObject, ProblemError
from common.startup import Startup, T

_log = logging.getLogger(__name__)
REFERENCES_BODY_LIMIT = 1024 * 1024
_PATIENCE_S = 0.1
# What is read of a request's headers.
_HEADERS = frozenset({b"content-length", b"traceparent", b"x-cloud-trace-context"})

Handler = Callable[[Fields], Awaitable[JsonObject]]
Describe = Callable[[], JsonObject]


class _ClientGoneError(Exception):
    """Nobody waits for the answer."""


async def _read_body(receive: Receive, declared: str, limit: int) -> bytes:
    """The request's body. Raises a ProblemError 413 as soon as it passes `limit` bytes."""
    if declared.isascii() and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> ProblemError:
    message = f"the request body is larger than {limit} bytes"
    return ProblemError(413, "body_too_large", message, details={"limit": limit})


@dataclass(frozen=True, slots=True)
class JsonRoute:
    """A POST route over `handler`, an application of its own: it needs nobody to catch its errors."""

    path: str
    handler: Handler
    project: str | None
    body_limit: int = REFERENCES_BODY_LIMIT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _HEADERS
        }
        logs.begin_request(self.project, headers)
        try:
            data = await _read_body(receive, headers.get("content-length", ""), self.body_limit)
            body = parse_body(data)
        except ProblemError as problem:
            answer = _refusal(problem)
        except _ClientGoneError:
            answer = _to_nobody()
        else:
            answer = await _while_connected(receive, _handled(self.handler, body))
        await answer(scope, receive, send)


async def _handled(handler: Handler, body: Fields) -> Response:
    try:
        return JSONResponse(await handler(body))
    except ProblemError as problem:
        return _refusal(problem)
    except Exception as error:  # noqa: BLE001 - the process boundary
        _log.error("unexpected %s", type(error).__name__, exc_info=error)
        message = "the service met an unexpected error; its log says where"
        return _answer(ProblemError(500, "internal_error", message, blame=Blame.SYSTEM))


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, Response]) -> Response:
    watch = _Watch(receive)
    # Most requests are answered before it is worth a look whether somebody still waits.
    timer = asyncio.get_running_loop().call_later(_PATIENCE_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        _log.warning("stopped: the client has gone, or the service ends")
        if not watch.gone:
            raise
        return _to_nobody()
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Cancels the task of a request whose client has gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self.gone = False

    def begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    def end(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._task is not None:
            self._task.cancel()


def _to_nobody() -> Response:
    return Response(status_code=400)  # nobody is left to read it


def _refusal(problem: ProblemError) -> Response:
    level = logging.ERROR if problem.blame is Blame.SYSTEM else logging.WARNING
    fields = {"status": problem.status, "code": problem.code, "error_class": problem.blame.value}
    _log.log(level, "refused: %s", problem.message, extra={"fields": fields})
    return _answer(problem)


def _answer(problem: ProblemError) -> Response:
    return JSONResponse(problem.body(), problem.status, headers=problem.headers())


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    body = ProblemError(error.status_code, code, error.detail).body()
    return JSONResponse(body, error.status_code, headers=error.headers)


class Service(Starlette):
    """Starlette, but a JSON route gets its requests at once: the way there costs more than a text."""

    def __init__(
        self,
        json_routes: Sequence[JsonRoute],
        probes: Sequence[Route],
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        self._json_routes = {route.path: route for route in json_routes}
        routes = [Route(route.path, route, methods=["POST"]) for route in json_routes]
        super().__init__(
            routes=[*probes, *routes],
            lifespan=lifespan,
            exception_handlers={HTTPException: _http_error},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] == "http" and scope["method"] == "POST":
            route = self._json_routes.get(scope["path"])
            if route is not None:
                await route(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_service(
    service: str,
    startup: Startup[T],
    routes: Sequence[JsonRoute],
    *,
    describe: Describe = dict,
    ready_path: str = "/ready",
) -> Starlette:
    """The application: the service's routes, /health, /ready and its start in the background.

    `describe` adds keys to both health answers; `ready_path` is a second path for readiness.
    """

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "service": service, **describe()})

    async def ready(_request: Request) -> Response:
        try:
            startup.value()
        except ProblemError as problem:
            return _answer(problem)
        return JSONResponse({"status": "ready", "service": service, **describe()})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(startup.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    probes = [Route("/health", health), Route("/ready", ready)]
    if ready_path not in {"/health", "/ready"}:
        probes.append(Route(ready_path, ready))
    return Service(routes, probes, lifespan)
