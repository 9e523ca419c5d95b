"""REST for every method that `http_rules` has a row for, with the same handlers as gRPC.

Which API a request is for shows in its path; one that named a host in the form for proxies is only
answered by that host's methods. Bodies and answers are protobuf's JSON, but for those of another
version of an API, which a `Translation` gives.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.errors import ServiceError, invalid_argument
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.transport import calls, hosts, http_rules
from gpupipe.localcloud.transport.errors import json_error
from gpupipe.localcloud.transport.http_rules import Rule
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rest_answer import Parameters
from gpupipe.localcloud.transport.rest_request import message_of
from gpupipe.localcloud.transport.rpc import Rpc
from gpupipe.localcloud.transport.translation import Translation
from gpupipe.localcloud.transport.wire import Wire, wire_of

_BODY_BYTES = 4 * 1024 * 1024  # what a gRPC message may have


@dataclass(frozen=True, slots=True)
class _Method:
    row: Rpc
    rule: Rule
    pattern: re.Pattern[str]
    translation: Translation | None = None

    def path(self, raw: str) -> list[tuple[str, str]] | None:
        """The fields that a path fills, or None where it is none of this method's."""
        found = self.pattern.fullmatch(raw)
        if found is None:
            return None
        pairs = zip(self.rule.variables(), found.groups(), strict=True)
        return [(name, http_rules.value(text, single=single)) for (name, single), text in pairs]


class RestRoute(BaseRoute):
    """One route for all rows; `rpcs` that the table does not name are not there over REST."""

    def __init__(
        self, pipeline: Pipeline, rpcs: Iterable[Rpc], translations: Iterable[Translation] = ()
    ) -> None:
        self._pipeline = pipeline
        self._rows = {row.path: row for row in rpcs}
        # By verb and first part of the path ("GET", "v2"): most requests are looked up in few.
        self._methods: defaultdict[tuple[str, str], list[_Method]] = defaultdict(list)
        for rule in http_rules.rules():
            if rule.method in self._rows:
                self._add(rule, None)
        for translation in translations:
            self._add(translation.rule, translation)

    def _add(self, rule: Rule, translation: Translation | None) -> None:
        row = self._rows[rule.method]
        if translation is not None and translation.handler is not None:
            row = replace(row, handler=translation.handler)
        method = _Method(row, rule, rule.pattern(), translation)
        self._methods[rule.verb, rule.template.split("/")[1]].append(method)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The method and its variables, for `handle`."""
        if scope["type"] != "http":
            return Match.NONE, {}
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        api = hosts.named(scope)
        for method in self._methods.get((scope["method"], raw.split("/")[1]), ()):
            path = method.path(raw)
            if path is not None and api in {None, method.row.api or api}:
                return Match.FULL, {"path_params": {"method": method, "path": path}}
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """None of these has a name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever happens."""
        found = scope["path_params"]
        request = Request(scope, receive)
        answer = await self._answer(found["method"], found["path"], request, wire_of(scope))
        await answer(scope, receive, send)

    async def _answer(
        self, method: _Method, path: list[tuple[str, str]], request: Request, wire: Wire
    ) -> Response:
        try:
            body = await _read(request)
            return await asyncio.to_thread(self._called, method, path, request, body, wire)
        except ServiceError as error:
            return json_error(error, request.scope)
        except Exception as error:  # noqa: BLE001  # the boundary: every error gets a status
            return json_error(internal(log_failure(method.row.path, error)), request.scope)

    def _called(
        self,
        method: _Method,
        path: list[tuple[str, str]],
        request: Request,
        body: bytes,
        wire: Wire,
    ) -> Response:
        headers = dict(request.headers)
        try:
            message, shown = _understood(method, path, request, body)
        except ServiceError as error:
            self._pipeline.refuse(headers, method.row.name, error)
        found = calls.answer(self._pipeline, method.row, message, headers, wire)
        return JSONResponse(shown(found))


def _understood(
    method: _Method, path: list[tuple[str, str]], request: Request, body: bytes
) -> tuple[Message, Callable[[Message], Any]]:
    """The request of the method, and how its answer is shown."""
    given = request.query_params.multi_items()
    parameters = Parameters(given, request.headers.get("x-goog-fieldmask", ""))
    if method.translation is not None:
        return method.translation.understood(
            parameters, dict(path), body, hosts.region(request.scope)
        )
    tree = parameters.selected(method.row.response)
    message = message_of(method.row.request, method.rule, body, parameters.query, path)
    return message, partial(parameters.shown, tree=tree)


async def _read(request: Request) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > _BODY_BYTES:
            raise invalid_argument("The request is larger than 4 MiB.")
    return bytes(found)
