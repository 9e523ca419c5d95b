"""The front door of all services, `/run/PROJECT/REGION/SERVICE/...`, on the HTTP listener's loop.

It checks who calls, chooses a revision by the traffic's percentages, waits for a place on an
instance and passes the request on; bodies of responses stream. Texts of its own answers are own
knowledge and UNSURE, statuses are those that Cloud Run's documentation names.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.faults import BEFORE, Fault, FaultPoint, Kind
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.runner.instance import StartError
from gpupipe.localcloud.runner.pool import NoInstanceError, Place, Pool
from gpupipe.localcloud.runner.room import NoRoomError
from gpupipe.localcloud.services.run import access_log, invoker, traffic
from gpupipe.localcloud.services.run.access_log import Access
from gpupipe.localcloud.services.run.deployment import is_deleting
from gpupipe.localcloud.services.run.exchange import Trace, to_client, to_container
from gpupipe.localcloud.services.run.fleet import Fleet, ImageDeniedError, ImageMissingError
from gpupipe.localcloud.services.run.invoker import RefusalError
from gpupipe.localcloud.services.run.names import ServiceName
from gpupipe.localcloud.services.run.quotas import no_room_to_serve
from gpupipe.localcloud.services.run.store import Store
from gpupipe.localcloud.services.run.uri import PREFIX, split_tag
from gpupipe.localcloud.transport.wire import wire_of

INVOKE = FaultPoint("run.services.invoke", BEFORE)
_LARGEST_BODY = 32 << 20
_GONE = 499
_NO_INSTANCE = "The request was aborted because there was no available instance."
_CONNECTION = (
    "The request failed because either the HTTP response was malformed or connection to the "
    "instance had an error."
)


class _ClientGoneError(Exception):
    """The client closed its connection."""


class FrontDoor:
    """An ASGI application for the routes below `/run`."""

    def __init__(self, kernel: Kernel, store: Store, fleet: Fleet) -> None:
        self._kernel = kernel
        self._store = store
        self._fleet = fleet
        self._client: httpx.AsyncClient | None = None

    def routes(self) -> Iterator[BaseRoute]:
        """Every path of every service, all methods."""
        root = f"/{PREFIX}/{{project}}/{{region}}/{{service}}"
        yield Route(root, self)
        yield Route(root + "/{path:path}", self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it."""
        started = time.monotonic()
        headers = Headers(scope=scope)
        trace = Trace.of(headers)
        access = _access(scope, headers, trace)
        answer = _Answer(send, access)
        try:
            await self._answer(scope, receive, answer, headers, trace)
        except RefusalError as refusal:
            await answer.refuse(refusal)
        except ServiceError as error:
            await answer.refuse(RefusalError(error.code.http_status, error.message))
        except _ClientGoneError:
            access.status = access.status or _GONE
        finally:
            access.latency_s = time.monotonic() - started
            await asyncio.to_thread(access_log.write, self._kernel, access)

    async def close(self) -> None:
        """Close the connections to instances."""
        if self._client is not None:
            await self._client.aclose()

    async def _answer(
        self, scope: Scope, receive: Receive, answer: "_Answer", headers: Headers, trace: Trace
    ) -> None:
        service, tag = self._service(answer.access)
        invoker.check(self._kernel, service, headers)
        held_s = _meet(self._kernel.faults.take(INVOKE.method, INVOKE.kinds), scope)
        if "upgrade" in headers:
            raise RefusalError(501, "The local cloud does not emulate WebSockets and upgrades.")
        body = await _read(receive, headers)
        pool = self._pool(service, tag, answer.access)
        request = self._request(scope, headers, body, answer.access, trace)
        serving = asyncio.ensure_future(self._serve(pool, request, answer, held_s))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise _ClientGoneError
            await serving
        finally:
            serving.cancel()
            gone.cancel()
            await asyncio.gather(serving, gone, return_exceptions=True)

    def _service(self, access: Access) -> tuple[Any, str]:
        """The service that a request names, and the tag in front of its name."""
        for tag, short in (("", access.service.service), split_tag(access.service.service)):
            name = replace(access.service, service=short)
            service = self._store.service(str(name))
            if service is not None and not is_deleting(service):
                access.service = name
                return service, tag
        raise RefusalError(404, "The requested URL was not found: there is no such service.")

    def _pool(self, service: Any, tag: str, access: Access) -> Pool:
        name = traffic.tagged(service, tag) if tag else traffic.choose(service)
        if tag and name is None:
            raise RefusalError(404, "The requested URL was not found: there is no such tag.")
        revision = self._store.revision(name) if name else None
        if name is None or revision is None:
            raise RefusalError(503, "The service has no revision that is ready.")
        access.revision = name.rpartition("/")[2]
        try:
            return self._fleet.pool(service, revision)
        except (ImageMissingError, ImageDeniedError) as error:
            raise RefusalError(503, f"The image of the revision is gone: {error}") from error

    async def _serve(
        self, pool: Pool, request: httpx.Request, answer: "_Answer", held_s: float
    ) -> None:
        if held_s:
            await self._kernel.timers.sleep(held_s)
        try:
            async with asyncio.timeout(pool.revision.timeout_s):
                place = await _place(pool)
                try:
                    await self._forward(place, request, answer)
                finally:
                    pool.release(place)
        except TimeoutError as error:
            text = "upstream request timeout"
            if answer.begun:
                raise RuntimeError(text) from error
            raise RefusalError(504, text) from error
        except StartError as error:
            raise RefusalError(503, f"No instance could start. {error.reason}") from error
        except NoRoomError as error:
            raise RefusalError(503, no_room_to_serve(error.quota)) from error

    async def _forward(self, place: Place, request: httpx.Request, answer: "_Answer") -> None:
        assert place.instance is not None  # noqa: S101 - a place that was given away has one
        target = httpx.URL(place.instance.address)
        request.url = target.copy_with(raw_path=request.url.raw_path)
        try:
            response = await self._connections().send(request, stream=True)
            try:
                await answer.begin(response.status_code, to_client(response.headers.raw))
                async for data in response.aiter_raw():
                    await answer.body(data)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            if answer.begun:
                raise
            raise RefusalError(503, _CONNECTION) from error
        await answer.end()

    def _request(
        self, scope: Scope, headers: Headers, body: bytes, access: Access, trace: Trace
    ) -> httpx.Request:
        """The request for the container; the instance's address is put in once there is one."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = b"/" + b"/".join(raw.split(b"/")[5:])
        if scope["query_string"]:
            path += b"?" + scope["query_string"]
        url = httpx.URL(self._kernel.http).copy_with(raw_path=path)
        return httpx.Request(
            scope["method"], url, headers=to_container(headers, access.client, trace), content=body
        )

    def _connections(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                trust_env=False,
                timeout=None,  # noqa: S113 - the revision's own timeout surrounds every request
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            )
        return self._client


class _Answer:
    """The response that a client gets, and what the log will say about it."""

    def __init__(self, send: Send, access: Access) -> None:
        self._send = send
        self.access = access
        self.begun = False

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers."""
        self.begun = True
        self.access.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes) -> None:
        """A piece of the body."""
        self.access.size += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """No more."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, refusal: RefusalError) -> None:
        """An answer of our own."""
        self.access.message = refusal.text
        text = refusal.text.encode()
        own = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
        extra = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
        await self.begin(refusal.status, [*own, *extra])
        await self.body(text)
        await self.end()


async def _place(pool: Pool) -> Place:
    """A place on an instance: waits while one starts, else as long as the pool allows."""
    busy = RefusalError(429, _NO_INSTANCE, (("Retry-After", "1"),))
    try:
        future = pool.acquire()
    except NoInstanceError as error:
        raise busy from error
    waiting = asyncio.wrap_future(future)
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=pool.longest_wait_s)
            if not waiting.done() and not pool.starting:
                raise busy
        return waiting.result()
    except NoInstanceError as error:
        raise busy from error
    except (asyncio.CancelledError, RefusalError):
        pool.abandon(future)
        raise


async def _read(receive: Receive, headers: Headers) -> bytes:
    """The request's body, at most 32 MiB (Cloud Run's limit for HTTP/1, own knowledge)."""
    too_large = RefusalError(413, "The request is larger than 32 MiB.")
    if int(headers.get("content-length") or 0) > _LARGEST_BODY:
        raise too_large
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LARGEST_BODY:
            raise too_large
    return bytes(body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _meet(fault: Fault | None, scope: Scope) -> float:
    """Refuse or break the request, as the fault wants it, or tell how long it is held up."""
    if fault is None:
        return 0.0
    if fault.kind is Kind.STALL:
        return fault.seconds
    if fault.kind is Kind.RESET:
        wire_of(scope).reset()
        raise _ClientGoneError
    error = fault.error()
    pause = error.details.retry_after_s
    headers = () if pause is None else (("Retry-After", str(max(1, round(pause)))),)
    raise RefusalError(error.code.http_status, error.message, headers)


def _access(scope: Scope, headers: Headers, trace: Trace) -> Access:
    parts = scope["path_params"]
    return Access(
        service=ServiceName(parts["project"], parts["region"], parts["service"]),
        method=scope["method"],
        url=scope["path"],
        client=(scope.get("client") or ("127.0.0.1", 0))[0],
        user_agent=headers.get("user-agent", ""),
        trace_id=trace.trace_id,
    )
