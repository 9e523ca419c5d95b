"""The HTTP listener: Starlette on uvicorn, on one asyncio loop in a thread of its own.

Handlers that block run in threads of their surfaces; the front door and executions live on the
loop. What no route has is refused by name, after the gate.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterable

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.transport.entrance import EntranceConfig
from gpupipe.localcloud.transport.errors import json_error
from gpupipe.localcloud.transport.gate import Gate

_BACKLOG = 512
_GRACE_S = 2
_START_S = 20.0


def _bound(wished_port: int) -> socket.socket:
    try:
        bound = socket.create_server(("127.0.0.1", wished_port), backlog=_BACKLOG)
    except OSError:
        bound = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    # Connections inherit it. Without it the end of each answer waits for the client to acknowledge
    # its beginning, which clients put off for 40 ms; asyncio sets it only where it made the socket.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


class HttpListener:
    """Serves routes on 127.0.0.1, at the wished port where it is free; known from the start."""

    def __init__(self, wished_port: int = 0) -> None:
        self._socket = _bound(wished_port)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()

    @property
    def address(self) -> str:
        """The address that clients use, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that requests are handled on."""
        return self._loop

    def start(
        self,
        routes: Iterable[BaseRoute],
        authenticate: Callable[[str], object],
        no_route: Callable[[Request], ServiceError],
        tls: ssl.SSLContext,
    ) -> None:
        """Serve; returns when requests are answered. `no_route`: how what has no route is refused."""
        app = Gate(_app(routes, no_route), port=self.port, authenticate=authenticate)
        config = EntranceConfig(
            app,
            tls,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, args=(self._server,), name="http")
        self._thread.start()
        if not self._server.ready.wait(_START_S):
            raise RuntimeError("the HTTP listener did not start in time")

    def stop(self) -> None:
        """Take no more requests, give those that run two seconds, free the port, end the loop."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()
        if not self._loop.is_closed():
            self._loop.close()

    def _run(self, server: uvicorn.Server) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(server.serve(sockets=[self._socket]))
            self._loop.run_until_complete(_cancel_all())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()


class _Server(uvicorn.Server):
    """uvicorn's server, saying when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


async def _cancel_all() -> None:
    """End what was started on the loop and has not ended: a loop is not closed over it."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _app(routes: Iterable[BaseRoute], no_route: Callable[[Request], ServiceError]) -> Starlette:
    async def missing(request: Request, error: Exception) -> Response:
        return await _no_route(request, error, no_route)

    return Starlette(
        routes=list(routes),
        exception_handlers={
            ServiceError: _refused,
            HTTPException: missing,
            Exception: _failed,
        },
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101  # Starlette chose us by the type
    return json_error(error, request.scope)


async def _no_route(
    request: Request, error: Exception, no_route: Callable[[Request], ServiceError]
) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette chose us by the type
    if error.status_code in {404, 405}:
        return json_error(await asyncio.to_thread(no_route, request), request.scope)
    body = {"error": {"code": error.status_code, "message": error.detail, "status": "UNKNOWN"}}
    return JSONResponse(body, error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    failure = internal(log_failure(f"{request.method} request", error))
    return json_error(failure, request.scope)
