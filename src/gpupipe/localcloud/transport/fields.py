"""What the protos say of their fields, held in one place for the requests of all methods.

`field_behavior.json` is read off the client libraries by `scripts/field_behavior.py`. A field that
the server sets is ignored in a request; a required one that is missing, and an immutable one that an
update changes, is refused with its path. A field that a method's row does not list as emulated is
UNIMPLEMENTED by its path, and so is one that this version of the protos does not know: nothing is
accepted and then ignored.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from gpupipe.localcloud.errors import (
    Code,
    Details,
    FieldViolation,
    ServiceError,
    invalid_argument,
)

_TABLE: dict[str, dict[str, list[str]]] = json.loads(
    files(__package__).joinpath("field_behavior.json").read_text(encoding="utf-8")
)
# Required by the protos, and yet left out by clients that give the same in another field: a build's
# name holds project and id; a log's defaults stand in the request; a trigger's id stands beside it;
# over REST an empty body is an empty execution; the view FULL is its enum's 0.
_ASKED_ELSEWHERE = frozenset(
    {
        "google.cloud.eventarc.v1.Trigger.name",
        "google.cloud.workflows.executions.v1.CreateExecutionRequest.execution",
        "google.devtools.cloudbuild.v1.CancelBuildRequest.id",
        "google.devtools.cloudbuild.v1.CancelBuildRequest.project_id",
        "google.devtools.cloudbuild.v1.CreateBuildRequest.project_id",
        "google.devtools.cloudbuild.v1.GetBuildRequest.id",
        "google.devtools.cloudbuild.v1.GetBuildRequest.project_id",
        "google.devtools.cloudbuild.v1.ListBuildsRequest.project_id",
        "google.logging.v2.LogEntry.log_name",
        "google.logging.v2.LogEntry.resource",
        "google.monitoring.v3.ListTimeSeriesRequest.view",
    }
)
# Enums whose numbers are levels: Cloud Logging takes those in between too.
_LEVELS = frozenset({"google.logging.type.LogSeverity"})
ETAG = "etag"
"""Marked as set by the server in some protos, and yet sent back by clients for comparison."""
ALL = ("*",)
"""A row whose method reads every field of its request."""


def check_request(request: Message, emulated: Sequence[str] = ALL) -> None:
    """Clear what the server sets; refuse missing, unknown and not emulated fields and values.

    emulated: dotted paths, each with all below it ("service.template.containers.image").
    Raises ServiceError: INVALID_ARGUMENT or UNIMPLEMENTED, with the field's path.
    """
    updates = "update_mask" in request.DESCRIPTOR.fields_by_name
    # The name in an update says which resource it is, also where the server gave it.
    drop_output_only(request, frozenset({ETAG, "name"} if updates else {ETAG}))
    _refuse_unknown(request, "")
    if emulated is not ALL:
        _refuse_others(request, "", emulated)
    _refuse_numbers(request, "")
    # What an update leaves out of its resource stays as it is: `updates.merged` checks the result.
    _refuse_missing(request, "", deep=not updates)


def behaviours(descriptor: Any, field: str) -> list[str]:
    """What the proto says of a field: REQUIRED, OUTPUT_ONLY, IMMUTABLE, IDENTIFIER."""
    return _TABLE.get(descriptor.full_name, {}).get(field, [])


def walk(message: Message, path: str) -> Iterator[tuple[str, Message]]:
    """A message at a path, and all messages below it, each with its own path."""
    yield path, message
    for field, value in message.ListFields():
        for child in _children(field, value):
            yield from walk(child, f"{path}.{field.name}")


def drop_output_only(message: Message, kept: frozenset[str] = frozenset({ETAG})) -> None:
    """Remove what only the server sets, also below; fields of the names `kept` stay."""
    for field, value in message.ListFields():
        marked = "OUTPUT_ONLY" in behaviours(message.DESCRIPTOR, field.name)
        if marked and field.name not in kept:
            message.ClearField(field.name)
            continue
        for child in _children(field, value):
            drop_output_only(child, kept)


def check_required(message: Message, path: str) -> None:
    """Refuse a resource that lacks what its proto requires; `path` is its place in the request."""
    _refuse_missing(message, f"{path}." if path else "", deep=True)


def check_named(request: Message) -> None:
    """Refuse a request that lacks a required field of its own, such as its parent."""
    _refuse_missing(request, "", deep=False)


def _refuse_missing(message: Message, prefix: str, *, deep: bool) -> None:
    given = {field.name for field, _ in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        name = f"{message.DESCRIPTOR.full_name}.{field.name}"
        # A required bool that is false looks like one that is missing.
        asked = field.type != field.TYPE_BOOL and "REQUIRED" in behaviours(
            message.DESCRIPTOR, field.name
        )
        if asked and field.name not in given and name not in _ASKED_ELSEWHERE:
            path = prefix + field.name
            raise invalid_argument(f"The field {path} is required.", path)
    if deep:
        for field, value in message.ListFields():
            for child in _children(field, value):
                _refuse_missing(child, f"{prefix}{field.name}.", deep=True)


def _refuse_others(message: Message, prefix: str, emulated: Sequence[str]) -> None:
    for field, value in message.ListFields():
        path = prefix + field.name
        if any(path == one or path.startswith(f"{one}.") for one in emulated):
            continue
        if not any(one.startswith(f"{path}.") for one in emulated):
            raise not_emulated(path)
        for child in _children(field, value):
            _refuse_others(child, f"{path}.", emulated)


def _refuse_unknown(message: Message, prefix: str) -> None:
    unknown_fields: Iterable[Any] = UnknownFieldSet(message)  # type: ignore[assignment] # stubs
    for unknown in unknown_fields:
        raise not_emulated(f"{prefix}{unknown.field_number} (a field number) of this request")
    for field, value in message.ListFields():
        for child in _children(field, value):
            _refuse_unknown(child, f"{prefix}{field.name}.")


def _refuse_numbers(message: Message, prefix: str) -> None:
    """Refuse numbers that their enum does not have: over gRPC they arrive like any other."""
    for field, value in message.ListFields():
        path = prefix + field.name
        for child in _children(field, value):
            _refuse_numbers(child, f"{path}.")
        if field.enum_type is None or field.enum_type.full_name in _LEVELS:
            continue
        for number in value if field.is_repeated else (value,):
            if number not in field.enum_type.values_by_number:
                raise invalid_argument(f"{path} has no value with the number {number}.", path)


def _children(field: Any, value: Any) -> Iterator[Message]:
    """The messages that a field holds: one, many, or the values of a map."""
    kind = field.message_type
    if kind is None:
        return
    if kind.GetOptions().map_entry:
        if kind.fields_by_name["value"].message_type is not None:
            yield from value.values()
    elif hasattr(value, "ListFields"):
        yield value
    else:
        yield from value


def not_emulated(path: str) -> ServiceError:
    """The refusal of a field that nothing acts on."""
    message = f"The local cloud does not emulate the field {path}."
    return ServiceError(
        Code.UNIMPLEMENTED, message, Details(fields=(FieldViolation(path, message),))
    )
