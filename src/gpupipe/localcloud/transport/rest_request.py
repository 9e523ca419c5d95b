"""A REST request as the message of its method: body, query and path, each in its place.

Bodies are protobuf's JSON. A name that no field has is refused, with its place, in Google's words.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from gpupipe.localcloud.errors import ServiceError, invalid_argument, unimplemented
from gpupipe.localcloud.transport.http_rules import Rule

_INVALID = "Invalid JSON payload received."
_BOOLS = {"true": True, "false": False}
# Types whose JSON has other names than their fields, or none.
_OPEN = "google.protobuf."
# Fields that the APIs have and the protos of the client libraries do not, each with its default,
# which gcloud sends: the default changes nothing.
_NEWER = {
    "google.cloud.workflows.executions.v1.Execution": {
        "disableConcurrencyQuotaOverflowBuffering": False,
        "executionHistoryLevel": "EXECUTION_HISTORY_LEVEL_UNSPECIFIED",
    }
}


def message_of(
    kind: type[Message],
    rule: Rule,
    body: bytes,
    query: Sequence[tuple[str, str]],
    path: Sequence[tuple[str, str]],
) -> Message:
    """The request; INVALID_ARGUMENT where it is none of that kind.

    query, path: names or dotted paths of fields, each with its value; those of the path win.
    """
    message = kind()
    given = json_of(body)
    if given and not rule.body:
        raise invalid_argument("This method takes no body.")
    if rule.body not in {"", "*"}:
        given = {rule.body: given}
    parse(given, message)
    values = _Values(message)
    for name, value in query:
        _refuse_body(rule, name)
        values.put(name, value)
    for name, value in path:
        values.put(name, value)
    parse(values.found, message)
    return message


def parse(values: Any, message: Message) -> None:
    """Put JSON into a message; INVALID_ARGUMENT for what is none of its kind."""
    if not isinstance(values, dict):
        raise invalid_argument(f'{_INVALID} Unknown name "": Root element must be a message.')
    try:
        for place, name in _unknown(values, message.DESCRIPTOR, ""):
            at = f" at '{place}'" if place else ""
            raise invalid_argument(
                f'{_INVALID} Unknown name "{name}"{at}: Cannot find field.', place
            )
        ParseDict(values, message)
    except (ParseError, RecursionError) as error:
        raise invalid_argument(f"{_INVALID} {error}") from error


def json_of(body: bytes) -> Any:
    """The body; {} where there is none."""
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise invalid_argument(f"{_INVALID} {error}") from error


def no_parameter(name: str) -> ServiceError:
    """The refusal of a parameter that a method does not have."""
    return invalid_argument(
        f"{_INVALID} Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could "
        "not be found in request message.",
        name,
    )


def field_of(descriptor: Any, name: str) -> Any:
    """The field of that name, in either of its two spellings; None where there is none."""
    for field in descriptor.fields if descriptor is not None else ():
        if name in {field.name, field.json_name}:
            return field
    return None


def is_open(descriptor: Any) -> bool:
    """Whether a type's JSON is not made of its fields: Timestamp, Struct, Any."""
    return bool(descriptor.full_name.startswith(_OPEN))


class _Values:
    """Parameters as the JSON of the fields that they name."""

    def __init__(self, message: Message) -> None:
        self._descriptor = message.DESCRIPTOR
        self.found: dict[str, Any] = {}

    def put(self, path: str, value: str) -> None:
        """One parameter; INVALID_ARGUMENT where no field has that name or takes that value."""
        descriptor, values = self._descriptor, self.found
        *parents, last = path.split(".")
        for name in parents:
            field = field_of(descriptor, name)
            if field is None or field.is_repeated or field.message_type is None:
                raise no_parameter(path)
            descriptor = field.message_type
            values = values.setdefault(field.name, {})
        field = field_of(descriptor, last)
        if field is None:
            raise no_parameter(path)
        read = _read(field, path, value)
        if field.is_repeated:
            values.setdefault(field.name, []).append(read)
        else:
            values[field.name] = read


def _read(field: Any, path: str, value: str) -> Any:
    if field.type != field.TYPE_BOOL:
        return value
    if value.lower() not in _BOOLS:
        raise invalid_argument(f"Invalid value at '{path}' (TYPE_BOOL), \"{value}\"", path)
    return _BOOLS[value.lower()]


def _refuse_body(rule: Rule, name: str) -> None:
    if rule.body and name.split(".", maxsplit=1)[0] == rule.body:
        raise no_parameter(name)


def _unknown(values: Any, descriptor: Any, place: str) -> Iterator[tuple[str, str]]:
    """Names that no field has, each with the path of the message that it stands in."""
    if is_open(descriptor) or not isinstance(values, dict):
        return
    _drop_newer(values, _NEWER.get(descriptor.full_name, {}))
    for name, value in values.items():
        field = field_of(descriptor, name)
        if field is None:
            yield place, name
        elif field.message_type is not None:
            path = f"{place}.{field.name}" if place else field.name
            for below, item, kind in _items(field.message_type, value, path, field.is_repeated):
                yield from _unknown(item, kind, below)


def _drop_newer(values: dict[str, Any], newer: Mapping[str, Any]) -> None:
    for name in newer.keys() & values.keys():
        if values[name] != newer[name]:
            raise unimplemented(f"the field {name}")
        del values[name]


def _items(kind: Any, value: Any, path: str, repeated: bool) -> Iterator[tuple[str, Any, Any]]:  # noqa: FBT001
    if kind.GetOptions().map_entry:
        below = kind.fields_by_name["value"].message_type
        if below is not None and isinstance(value, dict):
            yield from ((f"{path}.{key}", item, below) for key, item in value.items())
    elif repeated and isinstance(value, list):
        yield from ((f"{path}[{at}]", item, kind) for at, item in enumerate(value))
    else:
        yield path, value, kind
