"""Updates of services: which fields a request may replace, with and without a mask."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.services.run import messages

_SERVER_SET = frozenset(
    {
        "name",
        "uid",
        "generation",
        "create_time",
        "update_time",
        "delete_time",
        "expire_time",
        "creator",
        "last_modifier",
        "observed_generation",
        "terminal_condition",
        "conditions",
        "latest_ready_revision",
        "latest_created_revision",
        "traffic_statuses",
        "urls",
        "uri",
        "satisfies_pzs",
        "threat_detection_enabled",
        "reconciling",
        "etag",
    }
)
WRITABLE = tuple(
    field.name for field in messages.Service.DESCRIPTOR.fields if field.name not in _SERVER_SET
)


def merged(old: Any, new: Any, mask: FieldMask) -> Any:
    """The old service with what the request replaces; an empty mask or "*" replaces everything."""
    paths = [path for path in mask.paths if path != "*"]
    if len(paths) < len(mask.paths) or not paths:
        paths = list(WRITABLE)
    _check(paths)
    chosen = FieldMask(paths=paths)
    result = messages.Service()
    result.CopyFrom(old)
    for path in paths:
        _clear(result, path.split("."))
    chosen.MergeMessage(new, result, replace_message_field=True, replace_repeated_field=True)
    return result


def differs(old: Any, new: Any) -> bool:
    """Whether two services differ in what a client writes."""
    return any(getattr(old, name) != getattr(new, name) for name in WRITABLE)


def _check(paths: list[str]) -> None:
    if not FieldMask(paths=paths).IsValidForDescriptor(messages.Service.DESCRIPTOR):
        raise invalid_argument("The update mask names an unknown field.", "update_mask")
    for path in paths:
        if path.partition(".")[0] in _SERVER_SET:
            raise invalid_argument(f"The field {path} is output only.", "update_mask")


def _clear(message: Any, parts: list[str]) -> None:
    for name in parts[:-1]:
        if not message.HasField(name):
            return
        message = getattr(message, name)
    message.ClearField(parts[-1])
