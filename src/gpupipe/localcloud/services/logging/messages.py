"""Entries between the kernel's form and google.logging.v2."""

from datetime import UTC, datetime
from typing import Any

from google.cloud.audit.audit_log_pb2 import AuditLog
from google.cloud.logging_v2 import types
from google.protobuf.json_format import MessageToDict, ParseDict

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.logs import SEVERITIES, LogEntry, Payload
from gpupipe.localcloud.transport.rows import raw

Entry = raw(types.LogEntry)
_NAMES = {number: name for name, number in SEVERITIES.items()}


def message_of(entry: LogEntry) -> Any:
    """An entry as the API shows it."""
    message = Entry(
        log_name=entry.log_name,
        resource={
            "type": entry.resource_type,
            "labels": {"project_id": entry.project, **entry.resource_labels},
        },
        severity=SEVERITIES[entry.severity],
        insert_id=entry.insert_id,
        labels=entry.labels,
        trace=entry.trace,
    )
    message.timestamp.FromDatetime(entry.timestamp)
    if entry.received is not None:
        message.receive_timestamp.FromDatetime(entry.received)
    if isinstance(entry.payload, str):
        message.text_payload = entry.payload
    elif entry.is_audit:
        plain = {name: value for name, value in entry.payload.items() if name != "@type"}
        message.proto_payload.Pack(ParseDict(plain, AuditLog()))
    else:
        _set_json(message, entry.payload)
    return message


def _set_json(message: Any, payload: dict[str, Any]) -> None:
    """The payload; the HTTP request that it tells of has a field of its own."""
    rest = {name: value for name, value in payload.items() if name != "httpRequest"}
    if "httpRequest" in payload:
        ParseDict(payload["httpRequest"], message.http_request, ignore_unknown_fields=True)
    if rest:
        message.json_payload.update(rest)


def severity_of(message: Any) -> str:
    """The severity's name; numbers between two names count as the lower one, as on Google."""
    number: int = message.severity
    return _NAMES[max(known for known in _NAMES if known <= max(number, 0))]


def payload_of(message: Any) -> Payload:
    """Text or JSON; INVALID_ARGUMENT without one."""
    kind = message.WhichOneof("payload")
    if kind == "text_payload":
        return str(message.text_payload)
    if kind == "json_payload":
        try:
            return dict(MessageToDict(message.json_payload))
        except ValueError as error:
            # numbers that JSON does not have
            raise invalid_argument(f"The json_payload is not valid: {error}", "entries") from error
    if kind == "proto_payload":
        raise unimplemented("log entries with a proto payload")
    raise invalid_argument("An entry needs a payload.", "entries")


def time_of(message: Any) -> datetime | None:
    """When it happened; None for "now". INVALID_ARGUMENT outside of the years 1 to 9999."""
    if not message.HasField("timestamp"):
        return None
    try:
        time: datetime = message.timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid_argument("The timestamp is not a time.", "entries.timestamp") from error
    return time
