"""Lines of logs: one for each entry, for people, and their documented shape for programs."""

import json
from typing import Any
from urllib.parse import urlsplit

from rich.text import Text

from gpupipe.cloud.logging import Entry
from gpupipe.deploy.logs import Line

SCHEMA = "gpupipe.logs/1"
_STYLES = {"DEBUG": "dim", "WARNING": "yellow", "ERROR": "bold red"}
_SEVERE = {"CRITICAL", "ALERT", "EMERGENCY"}
_SOURCES = {"preprocess": "cyan", "gpu-inference": "magenta", "postprocess": "blue",
            "workflow": "green", "build": "yellow", "audit": "bright_blue"}  # fmt: skip
# Said already by the line's other parts, or of no use to people.
_LEFT_OUT = frozenset({"message", "time", "timestamp", "severity", "logger", "execution_id"})
_ID = 8


def logs_json(lines: list[Line]) -> dict[str, Any]:
    """The documented shape."""
    return {"schema": SCHEMA, "entries": [line_json(one) for one in lines]}


def line_json(line: Line) -> dict[str, Any]:
    """One entry; what follows a log writes one of these on each line."""
    entry = line.entry
    return {
        "time": entry.time.isoformat(),
        "severity": entry.severity,
        "source": line.source,
        "text": said(line),
        "execution": line.execution,
        "fields": dict(entry.fields),
        "request": dict(entry.request),
        "log": entry.log,
        "revision": entry.resource_labels.get("revision_name", ""),
        "instance": entry.labels.get("instanceId", ""),
        "build": entry.resource_labels.get("build_id", ""),
        "trace": entry.trace,
    }


def line_text(line: Line) -> Text:
    """Time, severity, source, what is said, and its fields."""
    entry = line.entry
    style = "bold white on red" if entry.severity in _SEVERE else _STYLES.get(entry.severity, "")
    text = Text(f"{entry.time:%Y-%m-%dT%H:%M:%S}.{entry.time.microsecond // 1000:03}Z ", "dim")
    text.append(f"{entry.severity:<8} ", style)
    text.append(f"{line.source:<13} ", _SOURCES.get(line.source, ""))
    text.append(said(line), style)
    text.append(_told(line), "dim")
    return text


def said(line: Line) -> str:
    """What the entry says, on one line."""
    words = [_request(line.entry)] if line.entry.request else []
    return " ".join([*words, *line.entry.text.split("\n")]).strip()


def _request(entry: Entry) -> str:
    """Method, path below the service, status, and how long it took."""
    request = entry.request
    path = urlsplit(str(request.get("requestUrl", ""))).path
    below = path.rpartition(f"/{entry.resource_labels.get('service_name', '')}/")[2]
    latency = str(request.get("latency", "")).removesuffix("s")
    took = f" in {float(latency):.3f} s" if latency else ""
    return f"{request.get('requestMethod', '')} /{below.removeprefix('/')} {request.get('status', '')}{took}"


def _told(line: Line) -> str:
    """The fields, as `name=value`; nothing where the text already is all of them."""
    fields = line.entry.fields
    if "message" not in fields:
        return ""
    shown = [
        f"{name}={_value(value)}"
        for name, value in sorted(fields.items())
        if name not in _LEFT_OUT and not name.startswith("logging.googleapis.com/")
    ]
    if line.execution:
        shown.append(f"execution={line.execution[:_ID]}")
    return "".join(f"  {one}" for one in shown)


def _value(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
