"""Cloud Logging: the lines of a build, of a service, of an execution."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import TIMEOUT_S
from gpupipe.cloud.clients import module

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry; `text` is its message, whatever its payload, `fields` a structured one's.

    log: its id, such as "run.googleapis.com/stdout"; insert_id: unique among entries of one time;
    request: of the HTTP request that it tells of (`requestMethod`, `status`, …), else empty.
    """

    time: datetime
    severity: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    insert_id: str = ""
    resource_type: str = ""
    resource_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    trace: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)


class LoggingApi(Api):
    """The calls that gpupipe needs of Cloud Logging."""

    def build_log(self, project: str, build_id: str, lines: int) -> list[str]:
        """The last lines of a build's log, oldest first."""
        where = (
            f'logName="projects/{project}/logs/cloudbuild" AND resource.type="build" '
            f'AND resource.labels.build_id="{build_id}"'
        )
        return [entry.text for entry in self.newest(project, where, lines)]

    def newest(self, project: str, where: str, count: int) -> list[Entry]:
        """The newest entries that a filter selects, oldest first."""
        found = list(islice(self.each(project, where, newest_first=True, page=count), count))
        return found[::-1]

    def each(
        self, project: str, where: str, *, newest_first: bool = False, page: int = _PAGE
    ) -> Iterator[Entry]:
        """The entries that a filter selects in the order of their times, a page at a time."""
        request: dict[str, Any] = {
            "resource_names": [f"projects/{project}"],
            "filter": where,
            "order_by": "timestamp desc" if newest_first else "timestamp asc",
            "page_size": min(page, _PAGE),
            "page_token": "",
        }
        client = self._clients.client("logging")

        def attempt() -> Any:
            pager = client.list_log_entries(request=request, retry=None, timeout=TIMEOUT_S)
            return next(iter(pager.pages))

        more = True
        while more:
            found = self._call("Reading logs", f"projects/{project}", attempt)
            # What is on the page is read before the next one is asked for.
            yield from map(_entry, found.entries)
            request["page_token"] = found.next_page_token
            more = bool(found.next_page_token)


def _entry(found: Any) -> Entry:
    json_format = module("google.protobuf.json_format")
    message = type(found).pb(found)
    fields = _fields(message)
    # The one enum of these clients that comes as a number.
    severity = module("google.logging.type.log_severity_pb2").LogSeverity.Name(int(found.severity))
    return Entry(
        time=found.timestamp,
        severity=str(severity),
        text=str(found.text_payload or _text(message, fields)),
        fields=fields,
        log=unquote(str(found.log_name).rpartition("/")[2]),
        insert_id=str(found.insert_id),
        resource_type=str(found.resource.type),
        resource_labels=dict(found.resource.labels),
        labels=dict(found.labels),
        trace=str(found.trace),
        request=json_format.MessageToDict(message.http_request) if found.http_request else {},
    )


def _fields(message: Any) -> dict[str, Any]:
    """A payload that has fields; not the client's own mapping: its values inside of others are no plain ones."""
    json_format = module("google.protobuf.json_format")
    kind = message.WhichOneof("payload")
    if kind == "json_payload":
        return dict(json_format.MessageToDict(message.json_payload))
    audit = module("google.cloud.audit.audit_log_pb2").AuditLog()
    if kind != "proto_payload" or not message.proto_payload.Unpack(audit):
        return {}
    # What may be of types that are not known here.
    audit.ClearField("service_data")
    if audit.HasField("status"):
        audit.status.ClearField("details")
    return dict(json_format.MessageToDict(audit))


def _text(message: Any, fields: Mapping[str, Any]) -> str:
    if not fields:
        return ""
    if message.WhichOneof("payload") == "json_payload":
        return str(fields.get("message") or json.dumps(fields, ensure_ascii=False))
    who = fields.get("authenticationInfo", {}).get("principalEmail", "")
    refused = fields.get("status", {}).get("message", "")
    words = f"{fields.get('methodName', '')} {fields.get('resourceName', '')} by {who}"
    return f"{words}: {refused}" if refused else words
