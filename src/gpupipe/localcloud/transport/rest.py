"""REST over the rows of a gRPC service, as google.api.http maps one to the other.

`Rule("GET", "/v2/{name=projects/*/locations/*/services/*}", "GetService")`: what is in braces becomes
a field of the request, the query fills others, and the body is the whole request ("*") or one field.
Bodies and answers are protobuf's JSON; enums are numbers where `$alt` asks for them.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.errors import ServiceError, invalid_argument, unimplemented
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.transport import calls
from gpupipe.localcloud.transport.errors import json_error
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Rpc
from gpupipe.localcloud.transport.wire import Wire, wire_of

_BODY_BYTES = 4 * 1024 * 1024  # what a gRPC message may have
_VARIABLE = re.compile(r"\{(\w+(?:\.\w+)*)=([^}]*)\}")
# System parameters that change nothing here, and the one that asks for enums as numbers.
_IGNORED = frozenset({"alt", "$alt", "prettyPrint", "$prettyPrint", "quotaUser", "key"})
_NUMBERS = "json;enum-encoding=int"
_REFUSED = frozenset({"fields", "$fields", "callback"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A verb, a path with its variables, the row's method, and which field the body is."""

    verb: str
    template: str
    method: str
    body: str = ""


def routes(pipeline: Pipeline, rpcs: Iterable[Rpc], rules: Iterable[Rule]) -> Iterator[BaseRoute]:
    """One route for each rule; KeyError for a method that no row has."""
    rows = {row.path.rpartition("/")[2]: row for row in rpcs}
    return (_Route(pipeline, rows[rule.method], rule) for rule in rules)


class _Route(BaseRoute):
    def __init__(self, pipeline: Pipeline, row: Rpc, rule: Rule) -> None:
        self._pipeline = pipeline
        self._row = row
        self._rule = rule
        self._variables = tuple(_VARIABLE.findall(rule.template))
        self._pattern = re.compile(_pattern(rule.template))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] != self._rule.verb:
            return Match.NONE, {}
        found = self._pattern.fullmatch(scope["path"])
        if found is None:
            return Match.NONE, {}
        return Match.FULL, {"path_params": dict(enumerate(found.groups()))}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request, wire_of(scope))
        await answer(scope, receive, send)

    async def _answer(self, request: Request, wire: Wire) -> Response:
        try:
            body = await _read(request)
            headers = dict(request.headers)
            return await asyncio.to_thread(self._called, request, body, headers, wire)
        except ServiceError as error:
            return json_error(error)
        except Exception as error:  # noqa: BLE001  # the boundary: every error gets a status
            return json_error(internal(log_failure(self._row.path, error)))

    def _called(
        self, request: Request, body: bytes, headers: dict[str, str], wire: Wire
    ) -> Response:
        found = calls.answer(self._pipeline, self._row, self._message(request, body), headers, wire)
        numbers = _NUMBERS in request.query_params.getlist("$alt")
        return JSONResponse(MessageToDict(found, use_integers_for_enums=numbers))

    def _message(self, request: Request, body: bytes) -> Message:
        message = self._row.request()
        given = _json(body) if body.strip() else {}
        if given and not self._rule.body:
            raise invalid_argument("This method takes no body.")
        if self._rule.body and self._rule.body != "*":
            given = {self._rule.body: given}
        query = _Query(message)
        for name, value in request.query_params.multi_items():
            query.add(name, value)
        for at, (path, _) in enumerate(self._variables):
            query.put(path.split("."), str(request.scope["path_params"][at]))
        _parse(given, message)
        _parse(query.values, message)
        return message


class _Query:
    """Parameters of a query as the JSON of the fields that they name."""

    def __init__(self, message: Message) -> None:
        self._descriptor = message.DESCRIPTOR
        self.values: dict[str, Any] = {}

    def add(self, name: str, value: str) -> None:
        """One parameter; INVALID_ARGUMENT where no field has that name."""
        if name in _REFUSED:
            raise unimplemented(f"the parameter {name!r}")
        if name not in _IGNORED:
            self.put(name.split("."), value)

    def put(self, path: list[str], value: str) -> None:
        """A field by its path, in either of its two spellings."""
        descriptor, values = self._descriptor, self.values
        for name in path[:-1]:
            field = _field(descriptor, name)
            descriptor = field.message_type
            values = values.setdefault(field.name, {})
        field = _field(descriptor, path[-1])
        read: Any = value == "true" if field.type == field.TYPE_BOOL else value
        if field.is_repeated:
            values.setdefault(field.name, []).append(read)
        else:
            values[field.name] = read


def _field(descriptor: Any, name: str) -> Any:
    if descriptor is not None:
        for field in descriptor.fields:
            if name in {field.name, field.json_name}:
                return field
    raise invalid_argument(f"The request has no field {name!r}.", name)


def _parse(values: Any, message: Message) -> None:
    try:
        ParseDict(values, message)
    except ParseError as error:
        raise invalid_argument(f"Invalid JSON payload received. {error}") from error


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid_argument(f"Invalid JSON payload received. {error}") from error


async def _read(request: Request) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > _BODY_BYTES:
            raise invalid_argument("The request is larger than 4 MiB.")
    return bytes(found)


def _pattern(template: str) -> str:
    parts: list[str] = []
    at = 0
    for match in _VARIABLE.finditer(template):
        parts += [re.escape(template[at : match.start()]), f"({_segments(match[2])})"]
        at = match.end()
    return "".join([*parts, re.escape(template[at:])])


def _segments(pattern: str) -> str:
    return "/".join("[^/:]+" if part == "*" else re.escape(part) for part in pattern.split("/"))
