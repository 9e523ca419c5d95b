"""Structured logs: one JSON object per line on standard output, as Cloud Logging reads them.

Contract: `severity`, `message`, `time`, and within a request the trace fields, the execution id,
the object and its generation. Texts of the user never enter a log: of an unexpected exception
only the type and the places in the code are written, because its message may quote the input.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]+))?")
_SEVERITIES = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEFAULT"}
_request: ContextVar[Mapping[str, object]] = ContextVar("request", default={})  # noqa: B039


def bind(**fields: object) -> None:
    """Adds fields to every further line of this request."""
    _request.set({**_request.get(), **{k: v for k, v in fields.items() if v is not None}})


def begin_request(project: str | None, headers: Mapping[str, str]) -> None:
    """Starts the fields of a request anew, with its trace when the headers name one."""
    _request.set(trace_fields(project, headers))


def trace_fields(project: str | None, headers: Mapping[str, str]) -> dict[str, object]:
    """Cloud Logging's trace fields from `traceparent` or `X-Cloud-Trace-Context`."""
    found = _trace(headers)
    if found is None or project is None:
        return {}
    trace, span, sampled = found
    fields: dict[str, object] = {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace}",
        "logging.googleapis.com/trace_sampled": sampled,
    }
    if span is not None:
        fields["logging.googleapis.com/spanId"] = span
    return fields


def _trace(headers: Mapping[str, str]) -> tuple[str, str | None, bool] | None:
    if parent := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        return parent[1], parent[2], bool(int(parent[3], 16) & 1)
    if context := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", "")):
        # This header writes the span as a decimal number; the log field wants 16 hex digits.
        span = f"{int(context[2]) & 0xFFFFFFFFFFFFFFFF:016x}" if context[2] else None
        return context[1].lower(), span, context[3] == "1"
    return None


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "severity": _SEVERITIES.get(record.levelname, record.levelname),
            "message": record.getMessage(),
            "time": moment.isoformat().replace("+00:00", "Z"),
            "logger": record.name,
            **_request.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__name__
            entry["stack"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure(stream: TextIO | None = None) -> None:
    """Sends all logs of the process, uvicorn's too, to one JSON stream."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.INFO)
