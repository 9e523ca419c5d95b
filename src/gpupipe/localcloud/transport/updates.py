"""Update methods: which fields a request replaces, by its mask, and what may not be changed.

Without a mask an update replaces either what the request gives (`GIVEN`) or everything (`WHOLE`):
the protos say which of the two. Fields that the server sets are left alone, also where a mask names
them.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.transport.fields import ETAG, behaviours, check_required

M = TypeVar("M", bound=Message)
_SERVER = frozenset({"OUTPUT_ONLY", "IDENTIFIER"})


class WithoutMask(Enum):
    """What an update without a mask replaces."""

    GIVEN = "the fields that the request gives"
    WHOLE = "every field that a client may set"


def merged(
    old: M,
    new: M,
    mask: FieldMask,
    *,
    path: str,
    without_mask: WithoutMask,
    keep: Iterable[str] = (),
) -> M:
    """A copy of `old` with what the mask names taken from `new`; both stay as they are.

    path: the resource's place in the request, for the paths of refusals ("service").
    keep: more fields that no update touches ("name", where the proto does not say so). The etag is
        the server's too: handlers compare it, and make a new one.
    Raises ServiceError: INVALID_ARGUMENT for a path that does not exist, for a changed immutable
    field, and for a result that lacks a required one.
    """
    settable = _settable(old.DESCRIPTOR, frozenset((*keep, ETAG)))
    paths = [
        one for one in _paths(new, mask, settable, without_mask) if one.split(".")[0] in settable
    ]
    result = type(old)()
    result.CopyFrom(old)
    for one in paths:
        _clear(result, one.split("."))
    FieldMask(paths=paths).MergeMessage(
        new, result, replace_message_field=True, replace_repeated_field=True
    )
    _check_immutable(old, result, path)
    check_required(result, path)
    return result


def _settable(descriptor: Any, keep: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in descriptor.fields
        if field.name not in keep and not _SERVER.intersection(behaviours(descriptor, field.name))
    )


def _paths(
    new: Message, mask: FieldMask, settable: tuple[str, ...], without_mask: WithoutMask
) -> list[str]:
    if not mask.paths:
        if without_mask is WithoutMask.WHOLE:
            return list(settable)
        return [field.name for field, _ in new.ListFields()]
    if "*" in mask.paths:
        return list(settable)
    return [_checked(new.DESCRIPTOR, path) for path in mask.paths]


def _checked(descriptor: Any, path: str) -> str:
    """The path in the names of the descriptor: clients say `type` where Python's has `type_`."""
    names: list[str] = []
    at: Any = descriptor
    for part in path.split("."):
        found = at and (at.fields_by_name.get(part) or at.fields_by_name.get(f"{part}_"))
        if not found:
            raise invalid_argument(
                f"The update mask names the unknown field {path!r}.", "update_mask"
            )
        names.append(found.name)
        # Below a list or a map a mask cannot point.
        at = None if found.is_repeated else found.message_type
    return ".".join(names)


def _clear(message: Message, parts: list[str]) -> None:
    for name in parts[:-1]:
        if not message.HasField(name):
            return
        message = getattr(message, name)
    message.ClearField(parts[-1])


def _check_immutable(old: Message, result: Message, path: str) -> None:
    for field in old.DESCRIPTOR.fields:
        marks = behaviours(old.DESCRIPTOR, field.name)
        if "IMMUTABLE" in marks and getattr(old, field.name) != getattr(result, field.name):
            place = f"{path}.{field.name}"
            raise invalid_argument(f"The field {place} cannot be changed.", place)
