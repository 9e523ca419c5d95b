"""What instances write becomes log entries, as Cloud Run's logging does it.

A line that is a JSON object is a structured entry: `severity` and the trace field are taken out,
what is left is the payload; an object with nothing but `message` is text. Other lines are text.
"""

import json
from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import SEVERITIES
from gpupipe.localcloud.runner.revision import RunnableRevision

RESOURCE = "cloud_run_revision"
_TRACE = "logging.googleapis.com/trace"
_LABELS = "logging.googleapis.com/labels"
_LOGS = {"stdout": "stdout", "stderr": "stderr", "system": "varlog%2Fsystem"}


def labels_of(project: str, region: str, service: str, revision: str) -> dict[str, str]:
    """The labels of the monitored resource."""
    return {
        "project_id": project,
        "location": region,
        "service_name": service,
        "revision_name": revision,
        "configuration_name": service,
    }


class InstanceLogs:
    """A sink for the lines of instances."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(
        self, revision: RunnableRevision, instance_id: str, stream: str, line: str
    ) -> None:
        """Write one line."""
        if not line.strip():
            return
        entry = structured(line) or {"message": line}
        severity = str(entry.pop("severity", "DEFAULT")).upper()
        if severity not in SEVERITIES:
            severity = "DEFAULT"
        if stream == "system":
            severity = "ERROR"
        labels = entry.pop(_LABELS, None)
        trace = str(entry.pop(_TRACE, ""))
        payload: str | dict[str, Any] = entry
        if set(entry) == {"message"} and isinstance(entry["message"], str):
            payload = entry["message"]
        self._kernel.logs.write(
            f"projects/{revision.project}/logs/run.googleapis.com%2F{_LOGS[stream]}",
            RESOURCE,
            labels_of(revision.project, revision.region, revision.service, revision.revision),
            severity,
            payload,
            labels={**_strings(labels), "instanceId": instance_id},
            trace=trace,
        )


def structured(line: str) -> dict[str, Any] | None:
    """The JSON object that a line is, or None."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _strings(labels: object) -> dict[str, str]:
    if not isinstance(labels, dict):
        return {}
    return {str(key): str(value) for key, value in labels.items()}
