"""The HTTP side that the services share: JSON in, JSON out, errors in one shape.

Contract: a handler takes the parsed body and gives the answer's object; a ProblemError becomes its
status and body; anything else becomes a 500 without details and a log line with them. A handler
whose client has gone is cancelled: a retry must not compete with what nobody waits for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from common import logs
from common.fields import Fields, parse_body
from common.problems import Blame, JsonObject, ProblemError
from common.startup import Startup, T

_log = logging.getLogger(__name__)
REFERENCES_BODY_LIMIT = 1024 * 1024
_PATIENCE_S = 0.1

Handler = Callable[[Fields], Awaitable[JsonObject]]
Describe = Callable[[], JsonObject]


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body. Raises a ProblemError 413 as soon as it passes `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ProblemError:
    message = f"the request body is larger than {limit} bytes"
    return ProblemError(413, "body_too_large", message, details={"limit": limit})


def json_route(
    path: str, handler: Handler, *, project: str | None, body_limit: int = REFERENCES_BODY_LIMIT
) -> Route:
    """A POST route over `handler`."""

    async def endpoint(request: Request) -> Response:
        logs.begin_request(project, request.headers)
        try:
            body = parse_body(await read_body(request, body_limit))
        except ProblemError as problem:
            return _refusal(problem)
        except ClientDisconnect:
            return _to_nobody()
        return await _while_connected(request, _handled(handler, body))

    return Route(path, endpoint, methods=["POST"])


async def _handled(handler: Handler, body: Fields) -> Response:
    try:
        return JSONResponse(await handler(body))
    except ProblemError as problem:
        return _refusal(problem)
    except Exception as error:  # noqa: BLE001 - the process boundary
        _log.error("unexpected %s", type(error).__name__, exc_info=error)
        message = "the service met an unexpected error; its log says where"
        return _answer(ProblemError(500, "internal_error", message, blame=Blame.SYSTEM))


async def _while_connected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    watch = _Watch(request)
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

    def __init__(self, request: Request) -> None:
        self._request = request
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self.gone = False

    def begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    def end(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
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


def create_service(
    service: str,
    startup: Startup[T],
    routes: Sequence[BaseRoute],
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
    return Starlette(
        routes=[*probes, *routes],
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error},
    )
