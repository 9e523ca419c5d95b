"""Cloud Storage's surface: wires the parts, answers its routes, sweeps at start and with time."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.faults import FaultPoint, Kind
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import acl, batch, methods
from gpupipe.localcloud.services.storage.acl import AccessControls
from gpupipe.localcloud.services.storage.audited import audited
from gpupipe.localcloud.services.storage.blobs import Blobs, Disk, RealDisk
from gpupipe.localcloud.services.storage.bucket_methods import BucketMethods
from gpupipe.localcloud.services.storage.buckets import Buckets, resource_of
from gpupipe.localcloud.services.storage.copies import Copies
from gpupipe.localcloud.services.storage.http import (
    Body,
    read_all,
    refused,
    response_of,
    threads,
)
from gpupipe.localcloud.services.storage.iam import BucketPolicies
from gpupipe.localcloud.services.storage.media import Media
from gpupipe.localcloud.services.storage.message import Download, Inbound, Reply
from gpupipe.localcloud.services.storage.notifications import Notifications
from gpupipe.localcloud.services.storage.objects import Objects
from gpupipe.localcloud.services.storage.partial import select
from gpupipe.localcloud.services.storage.refusals import billing_disabled, forbidden
from gpupipe.localcloud.services.storage.resumable import Resumable
from gpupipe.localcloud.services.storage.routes import Match, Routes, check_parameters
from gpupipe.localcloud.services.storage.rows import Rows
from gpupipe.localcloud.services.storage.sessions import Sessions
from gpupipe.localcloud.services.storage.sweeper import Sweeper, remove_orphans
from gpupipe.localcloud.services.storage.uploads import Uploads
from gpupipe.localcloud.services.storage.writes import Writer
from gpupipe.localcloud.services.storage.xml_api import XmlApi
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import BaseSurface
from gpupipe.localcloud.transport.wire import wire_of

API = "storage.googleapis.com"
_GRACE_S = 2.0


# a fault of this name makes the disk full
DISK_FAULT = FaultPoint("storage.disk.write", frozenset({Kind.ERROR}))


def build(kernel: Kernel, pipeline: Pipeline) -> "Storage":
    """The surface, for the table of services."""
    return Storage(kernel, pipeline)


class Storage(BaseSurface):
    """The API on the HTTP listener; it has no gRPC methods."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline, disk: Disk | None = None) -> None:
        self._kernel = kernel
        self._pipeline = pipeline
        self._pool = threads()
        self._running: set[Future[Reply | Download]] = set()
        self._buckets = Buckets(kernel)
        self._blobs = blobs = Blobs(kernel.settings.objects, disk or RealDisk(self._disk_is_full))
        rows = Rows(kernel.database, blobs)
        sessions = Sessions(kernel.database)
        writer = Writer(kernel, self._buckets, rows)
        objects = Objects(kernel, self._buckets, rows, writer)
        self._resumable = resumable = Resumable(kernel, rows, writer, blobs, sessions)
        policies = BucketPolicies(kernel, self._buckets)
        notifications = Notifications(kernel, self._buckets)
        buckets = BucketMethods(kernel, self._buckets, rows, policies, notifications)
        self._routes = Routes(
            [
                *methods.bucket_rows(buckets, policies),
                *methods.acl_rows(AccessControls(self._buckets)),
                *methods.notification_rows(notifications),
                *methods.object_rows(
                    objects,
                    Media(objects, blobs),
                    Copies(kernel, self._buckets, objects, writer, blobs),
                ),
                *methods.upload_rows(Uploads(writer, blobs, resumable), resumable),
            ]
        )
        self.sweeper = Sweeper(kernel, self._buckets, rows, writer, resumable)
        kernel.authorizer.register_parent("projects/_/buckets/", self._parent)
        remove_orphans(blobs, rows, sessions)

    def routes(self) -> Iterator[BaseRoute]:
        """The folders that the API lives in."""
        verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        for root in ("storage", "upload/storage", "download/storage", "resumable/upload/storage"):
            yield Route(f"/{root}/v1/{{rest:path}}", self._endpoint, methods=verbs)
        yield Route(batch.PATH, self._batch, methods=["POST"])
        yield XmlApi(lambda name: self._buckets.project_of(name) is not None)

    def fault_points(self) -> Iterator[FaultPoint]:
        """The methods of the routes, and the disk."""
        yield from (FaultPoint(name) for name in self._routes.names)
        yield DISK_FAULT

    def permissions(self) -> Iterator[tuple[str, str]]:
        """Those of the JSON API; replacing an object also asks for storage.objects.delete."""
        yield from self._routes.permissions()
        yield "storage.objects.insert", "storage.objects.delete"

    def start(self) -> None:
        """Apply lifecycle rules now and from time to time."""
        self.sweeper.start()

    def reset(self) -> None:
        """Remove all object data; the rows go right after."""
        self._resumable.reset()
        self._blobs.sweep(set(), set())

    def stop(self) -> None:
        """End the sweeps; requests that are being handled have two seconds to end."""
        self.sweeper.stop()
        wait(set(self._running), timeout=_GRACE_S)
        # a client that stalls in the middle of its upload is cut off when the listener ends
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _endpoint(self, request: Request) -> Response:
        body = Body(request, asyncio.get_running_loop())
        try:
            running = self._pool.submit(self._answer, request, body)
        except RuntimeError:
            stopping = ServiceError(Code.UNAVAILABLE, "The local cloud is stopping.")
            return response_of(refused(stopping), self._pool)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            answer = await asyncio.wrap_future(running)
        except ClientDisconnect:
            answer = Reply(status=499)
        return response_of(answer, self._pool)

    async def _batch(self, request: Request) -> Response:
        """The calls of a batch one after the other, as the batch's caller unless they say who."""
        try:
            body = await read_all(request, batch.MAX_BYTES)
            asked = batch.calls(request.headers.get("content-type", ""), body)
        except ServiceError as error:
            return response_of(refused(error), self._pool)
        answered = []
        for call in asked:
            inner = _request_of(call, request)
            running = self._pool.submit(self._answer, inner, iter([call.body]))
            answer = await asyncio.wrap_future(running)
            answered.append((call, response_of(answer, self._pool)))
        return batch.answer(iter(answered))

    def _answer(self, request: Request, body: Iterator[bytes]) -> Reply | Download:
        try:
            match = self._match(request)
            return self._handle(match, request, body)
        except ServiceError as error:
            # a client that is still sending would not read the answer; a stranger need not
            if error.code is not Code.UNAUTHENTICATED:
                for _ in body:
                    continue
            return refused(error)

    def _match(self, request: Request) -> Match:
        try:
            scope = request.scope
            return self._routes.match(request.method, scope["raw_path"], scope["query_string"])
        except ServiceError as error:
            self._pipeline.refuse(request.headers, f"storage {request.method}", error)

    def _handle(self, match: Match, request: Request, body: Iterator[bytes]) -> Reply | Download:
        answer: Reply | Download | None = None
        method, resource = match.method, self._resource(match)
        try:
            with self._pipeline.guard(
                request.headers,
                method=method.name,
                api=API,
                resource=resource,
                writes=method.writes,
                wire=wire_of(request.scope),
                audited=audited(match, resource, self._buckets, lambda: answer),
            ) as call:
                self._check(match, request, call.caller, resource)
                answer = method.handler(self._inbound(match, request, call.caller, body))
                answer = _partial(answer, match.query.get("fields", ""))
        except ServiceError:
            # a fault that comes after the work was done
            if isinstance(answer, Download):
                answer.file.close()
            raise
        return answer

    def _check(self, match: Match, request: Request, caller: Caller, resource: str) -> None:
        if "bucket" in match.path:
            acl.check_parameters(self._buckets.get(match.path["bucket"]), match.query)
        check_parameters(match.method, match.query, request.headers)
        self._check_billing(resource)
        permission = match.method.permission
        # asked here and not by the guard, because Cloud Storage refuses in words of its own
        if permission and not self._kernel.authorizer.allowed(caller.member, permission, resource):
            raise forbidden(caller.email, permission)

    def _check_billing(self, resource: str) -> None:
        named = self._kernel.authorizer.project_of(resource)
        project = self._kernel.projects.get(named) if named else None
        if project is not None and not self._kernel.billing.account(project.id):
            raise billing_disabled()

    def _inbound(
        self, match: Match, request: Request, caller: Caller, body: Iterator[bytes]
    ) -> Inbound:
        return Inbound(
            caller,
            match.path,
            match.query,
            dict(request.headers),
            body,
            self._kernel.http,
            match.repeated,
        )

    def _disk_is_full(self) -> bool:
        return self._kernel.faults.take(DISK_FAULT.method, DISK_FAULT.kinds) is not None

    def _resource(self, match: Match) -> str:
        if "bucket" in match.path:
            return resource_of(match.path["bucket"])
        return f"projects/{match.path.get('project') or match.query.get('project', '')}"

    def _parent(self, resource: str) -> str | None:
        name = resource.removeprefix("projects/_/buckets/").partition("/")[0]
        return self._buckets.project_of(name)


def _partial(answer: Reply | Download, fields: str) -> Reply | Download:
    if isinstance(answer, Download) or answer.body is None or not fields:
        return answer
    return replace(answer, body=select(fields, answer.body))


def _request_of(call: batch.Call, outer: Request) -> Request:
    """A call of a batch as a request; its headers go before those of the batch."""
    path, _, query = call.target.partition("?")
    headers = {"authorization": outer.headers.get("authorization", "")}
    headers |= {name.lower(): value for name, value in call.headers.items()}
    scope = {
        "type": "http",
        "method": call.verb,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
    }
    return Request(scope)
