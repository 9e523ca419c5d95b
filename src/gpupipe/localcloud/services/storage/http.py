"""Between Starlette and the handlers: bodies stream from the event loop to a thread and back.

Handlers block (SQLite, files), so each request runs in a thread of the surface's own pool; its
body is pulled from the loop a piece at a time, so memory stays constant however large it is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.services.storage.message import Download, Reply
from gpupipe.localcloud.services.storage.refusals import as_json, bad_request, status_of

_PIECE = 1 << 20
NOT_MODIFIED = 304


def threads() -> ThreadPoolExecutor:
    """The pool that handlers run in; its threads live on, and with them their connections."""
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="storage")


class Body(Iterator[bytes]):
    """A request's body for a thread: each step waits for the loop to have a piece of it."""

    def __init__(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        self._stream: AsyncIterator[bytes] = request.stream()
        self._loop = loop

    def __next__(self) -> bytes:
        data = asyncio.run_coroutine_threadsafe(self._piece(), self._loop).result()
        if not data:
            raise StopIteration
        return data

    async def _piece(self) -> bytes:
        gathered = bytearray()
        async for data in self._stream:
            gathered += data
            if len(gathered) >= _PIECE:
                break
        return bytes(gathered)


async def read_all(request: Request, limit: int) -> bytes:
    """A whole body that has to be small; 400 when it is not."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise bad_request(f"The body is larger than {limit} bytes.")
    return bytes(data)


class _FileResponse(Response):
    """A part of an open file; the file is closed whatever becomes of the client."""

    def __init__(self, download: Download, pool: Executor) -> None:
        super().__init__(status_code=download.status, headers=dict(download.headers))
        self.headers["Content-Length"] = str(download.length)
        self._download = download
        self._pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        loop = asyncio.get_running_loop()
        file, left = self._download.file, self._download.length
        start = {"type": "http.response.start", "status": self.status_code}
        try:
            file.seek(self._download.start)
            await send({**start, "headers": self.raw_headers})
            while left > 0:
                data = await loop.run_in_executor(self._pool, file.read, min(_PIECE, left))
                if not data:
                    break
                left -= len(data)
                body = {"type": "http.response.body", "body": data, "more_body": left > 0}
                await send(body)
            if not self._download.length:
                await send({"type": "http.response.body", "body": b""})
        finally:
            file.close()


def refused(error: ServiceError) -> Reply:
    """The answer that a refusal becomes."""
    headers = dict(getattr(error, "headers", {}))
    if error.code is Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.details.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.details.retry_after_s)))
    status = status_of(error)
    return Reply(status, None if status == NOT_MODIFIED else as_json(error), headers)


def response_of(answer: Reply | Download, pool: Executor) -> Response:
    """What Starlette sends for an answer."""
    if isinstance(answer, Download):
        return _FileResponse(answer, pool)
    if answer.body is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    return JSONResponse(
        answer.body,
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type="application/json; charset=UTF-8",
    )
