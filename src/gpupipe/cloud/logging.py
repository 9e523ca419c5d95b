"""Cloud Logging: the lines of a build, of a service, of an execution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.clients import module


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry; `text` is its message, whatever its payload, `fields` a structured one's."""

    time: datetime
    severity: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


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
        client = self._clients.client("logging")

        def attempt() -> list[Any]:
            pager = client.list_log_entries(
                request={
                    "resource_names": [f"projects/{project}"],
                    "filter": where,
                    "order_by": "timestamp desc",
                    "page_size": count,
                },
                retry=None,
                timeout=60.0,
            )
            return [entry for entry, _ in zip(pager, range(count), strict=False)]

        found = self._caller.call("Reading logs", f"projects/{project}", attempt)
        return [_entry(one) for one in reversed(found)]


def _entry(found: Any) -> Entry:
    fields = dict(found.json_payload or {})
    payload = found.text_payload or (str(fields.get("message", fields)) if fields else "")
    # The one enum of these clients that comes as a number.
    severity = module("google.logging.type.log_severity_pb2").LogSeverity.Name(int(found.severity))
    return Entry(found.timestamp, str(severity), str(payload), fields)
