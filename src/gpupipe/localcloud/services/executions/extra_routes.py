"""What of an execution is read and sent over REST alone, since the client library has no types for it.

Lists of callbacks and of step entries, and the addresses of callbacks, which take any body.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gpupipe.localcloud.errors import invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.callbacks import Callback, Callbacks, WrongMethod
from gpupipe.localcloud.services.executions.history import Entry, Histories
from gpupipe.localcloud.services.executions.store import Store
from gpupipe.localcloud.store.paging import opened, page_of, sealed
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.wire import wire_of
from gpupipe.workflows.effects import CallbackRequest
from gpupipe.workflows.limits import VARIABLES_BYTES

API = "workflowexecutions.googleapis.com"
LIST_CALLBACKS = "workflowexecutions.callbacks.list"
SEND_CALLBACK = "workflowexecutions.callbacks.send"
LIST_ENTRIES = "workflowexecutions.stepEntries.list"
GET_ENTRY = "workflowexecutions.stepEntries.get"
PERMISSIONS = {
    LIST_CALLBACKS: "workflows.callbacks.list",
    SEND_CALLBACK: "workflows.callbacks.send",
    LIST_ENTRIES: "workflows.stepEntries.list",
    GET_ENTRY: "workflows.stepEntries.get",
}
"""Each method with its permission, on the workflow."""
_V1 = "google.cloud.workflows.executions.v1"
# workflows/docs/audit-logging-workflow-executions
_AUDIT_NAMES = {
    LIST_CALLBACKS: f"{_V1}.Events.ListCallbacks",
    SEND_CALLBACK: f"{_V1}.Events.SendHttpCallback",
    LIST_ENTRIES: f"{_V1}.ExecutionHistory.ListStepEntries",
    GET_ENTRY: f"{_V1}.ExecutionHistory.GetStepEntry",
}
_EXECUTION = (
    "/v1/projects/{project}/locations/{location}/workflows/{workflow}/executions/{execution}"
)
_VERBS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
_MOST = 100
_IGNORED = frozenset({"alt", "$alt", "prettyPrint", "$prettyPrint", "quotaUser", "key"})
T = TypeVar("T")


class ExtraRoutes:
    """The routes, with the guard around each call."""

    def __init__(
        self,
        kernel: Kernel,
        pipeline: Pipeline,
        store: Store,
        callbacks: Callbacks,
        histories: Histories,
    ) -> None:
        self._kernel = kernel
        self._pipeline = pipeline
        self._store = store
        self._callbacks = callbacks
        self._histories = histories

    def routes(self) -> Iterator[BaseRoute]:
        """All of them."""
        yield Route(f"{_EXECUTION}/callbacks", self._list_callbacks, methods=["GET"])
        send = f"{_EXECUTION}/callbacks/{{callback}}"
        yield Route(send, self._send_callback, methods=_VERBS)
        yield Route(f"{_EXECUTION}/stepEntries", self._list_entries, methods=["GET"])
        yield Route(f"{_EXECUTION}/stepEntries/{{entry}}", self._get_entry, methods=["GET"])

    def fault_points(self) -> Iterator[FaultPoint]:
        """The methods."""
        return (FaultPoint(method) for method in PERMISSIONS)

    async def _list_callbacks(self, request: Request) -> Response:
        def listed(execution: str) -> dict[str, Any]:
            self._store.get(execution)
            found = self._callbacks.of(execution)
            return page(request, "callbacks", found, lambda one: one.id, _shown(execution))

        return await self._guarded(request, LIST_CALLBACKS, listed)

    async def _send_callback(self, request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > VARIABLES_BYTES:
                return refusal(413, "The request is larger than what variables may hold.")

        def sent(execution: str) -> dict[str, Any]:
            called = _called(request, bytes(body), self._kernel)
            self._callbacks.receive(execution, request.path_params["callback"], called)
            return {}

        return await self._guarded(request, SEND_CALLBACK, sent, writes=True)

    async def _list_entries(self, request: Request) -> Response:
        def listed(execution: str) -> dict[str, Any]:
            self._store.get(execution)
            found = self._histories.of(execution)
            shown = _entry(execution, found)
            whole = page(request, "stepEntries", found, lambda one: f"{one.id:09d}", shown)
            return {**whole, "totalSize": len(found)}

        return await self._guarded(request, LIST_ENTRIES, listed)

    async def _get_entry(self, request: Request) -> Response:
        def found(execution: str) -> dict[str, Any]:
            self._store.get(execution)
            entries, wanted = self._histories.of(execution), request.path_params["entry"]
            for one in entries:
                if str(one.id) == wanted:
                    return _entry(execution, entries)(one)
            raise not_found(f"Step entry '{execution}/stepEntries/{wanted}' does not exist.")

        return await self._guarded(request, GET_ENTRY, found)

    async def _guarded(
        self,
        request: Request,
        method: str,
        work: Callable[[str], dict[str, Any]],
        *,
        writes: bool = False,
    ) -> Response:
        def run() -> dict[str, Any]:
            with self._pipeline.guard(
                request.headers,
                method=method,
                api=API,
                permission=PERMISSIONS[method],
                resource=_workflow(request),
                writes=writes,
                wire=wire_of(request.scope),
                audited=Audited(
                    PERMISSIONS[method], _AUDIT_NAMES[method], lambda: _target(request)
                ),
            ):
                workflow = locations.below(self._kernel.projects, _workflow(request), "workflows")
                return work(f"{workflow}/executions/{request.path_params['execution']}")

        try:
            return JSONResponse(await asyncio.to_thread(run))
        except WrongMethod as error:
            refused = refusal(405, f"The callback takes {error.allowed} alone.")
            refused.headers["Allow"] = error.allowed
            return refused


def refusal(status: int, message: str) -> Response:
    """A refusal with a status that no canonical code has."""
    return JSONResponse({"error": {"code": status, "message": message}}, status)


def page(
    request: Request,
    name: str,
    items: list[T],
    key: Callable[[T], str],
    show: Callable[[T], dict[str, Any]],
    known: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """A page of a list as JSON; parameters but `known` and those of pages are refused by name."""
    given = dict(request.query_params)
    for parameter in given.keys() - known - _IGNORED - {"pageSize", "pageToken"}:
        raise unimplemented(f"the parameter {parameter!r}")
    asked = f"{request.url.path} {sorted((k, v) for k, v in given.items() if k in known)}".encode()
    size = _size(given)
    token = opened(given.get("pageToken", ""), asked)
    found, more = page_of(items, key, size, token, most=_MOST)
    shown: dict[str, Any] = {name: [show(one) for one in found]} if found else {}
    return {**shown, "nextPageToken": sealed(more, asked)} if more else shown


def _size(given: Mapping[str, str]) -> int:
    text = given.get("pageSize") or "0"
    if not text.isdecimal():
        raise invalid_argument("pageSize must be a whole number from 0 on.", "page_size")
    return int(text)


def _workflow(request: Request) -> str:
    given = request.path_params
    place = f"projects/{given['project']}/locations/{given['location']}"
    return f"{place}/workflows/{given['workflow']}"


def _target(request: Request) -> Target:
    return Target(request.url.path.removeprefix("/v1/"))


def _shown(execution: str) -> Callable[[Callback], dict[str, Any]]:
    """As Google's Callback; whole numbers of 64 bits are text in protobuf's JSON."""

    def show(one: Callback) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "name": f"{execution}/callbacks/{one.id}",
            "method": one.method,
            "availablePayloads": list(one.payloads),
            "waiters": str(one.waiters) if one.waiters else "",
        }
        return {name: value for name, value in shown.items() if value}

    return show


def _entry(execution: str, entries: list[Entry]) -> Callable[[Entry], dict[str, Any]]:
    """As Google's StepEntry; whole numbers of 64 bits are text in protobuf's JSON."""
    children: dict[int, list[str]] = {}
    for one in entries:
        children.setdefault(one.parent, []).append(str(one.id))

    def show(one: Entry) -> dict[str, Any]:
        navigation: dict[str, Any] = {"children": children.get(one.id, [])}
        if one.parent:
            navigation["parent"] = str(one.parent)
        shown: dict[str, Any] = {
            "name": f"{execution}/stepEntries/{one.id}",
            "entryId": str(one.id),
            "routine": one.routine,
            "step": one.step,
            "stepType": one.kind,
            "state": one.state,
            "createTime": _time(one.began),
            "updateTime": _time(one.ended),
            "navigationInfo": {name: value for name, value in navigation.items() if value},
        }
        if one.exception:
            shown["exception"] = {"payload": one.exception}
        if one.number is not None:
            number = str(one.number)
            shown["stepEntryMetadata"] = {"progressType": one.progress, "progressNumber": number}
        return shown

    return show


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _called(request: Request, body: bytes, kernel: Kernel) -> CallbackRequest:
    """The call as the workflow sees it: without what signed the caller in."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        if name != "authorization":
            headers.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(
                value
            )
    query: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        query.setdefault(name, []).append(value)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    received = kernel.clock.now().isoformat().replace("+00:00", "Z")
    return CallbackRequest(request.method, path, headers, query, body, received)
