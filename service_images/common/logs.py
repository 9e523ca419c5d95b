"""Structured logs: one JSON object per line on standard output, as Cloud Logging reads them.

Contract: `severity`, `message`, `time`, and within a request the trace fields, the execution id,
the object and its generation. An error has also what Error Reporting groups by: `@type`, the service
and its revision, the place in the code and, of an exception, `stack_trace`. Texts of the user never
enter a log: of an unexpected exception only the type and the places in the code are written, because
its message may quote the input.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]+))?")
_ERROR_EVENT = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
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
        raised = _raised(record)
        if raised is not None:
            name, frames = raised
            entry["exception"] = name
            entry["stack"] = [f"{one.filename}:{one.lineno} {one.name}" for one in frames]
            entry["stack_trace"] = _stack_trace(name, frames)
        if record.levelno >= logging.ERROR:
            entry |= _reported(record, raised[1] if raised else [])
        return json.dumps(entry, ensure_ascii=False, default=str)


def _raised(record: logging.LogRecord) -> tuple[str, list[traceback.FrameSummary]] | None:
    """Type and places of the record's exception, without its message."""
    if not record.exc_info or record.exc_info[0] is None:
        return None
    return record.exc_info[0].__name__, list(traceback.extract_tb(record.exc_info[2]))


def _stack_trace(name: str, frames: list[traceback.FrameSummary]) -> str:
    """As Python prints it, which Error Reporting reads; the lines of code are left out too."""
    places = [f'  File "{one.filename}", line {one.lineno}, in {one.name}' for one in frames]
    return "\n".join(["Traceback (most recent call last):", *places, name])


def _reported(record: logging.LogRecord, frames: list[traceback.FrameSummary]) -> dict[str, object]:
    """What makes an entry an error event of Error Reporting, and what groups it with others."""
    place: tuple[object, ...] = (record.pathname, record.lineno, record.funcName)
    if frames:
        place = (frames[-1].filename, frames[-1].lineno, frames[-1].name)
    names = ("filePath", "lineNumber", "functionName")
    service = os.environ.get("K_SERVICE") or os.environ.get("SERVICE_NAME") or "unknown"
    return {
        "@type": _ERROR_EVENT,
        "serviceContext": {"service": service, "version": os.environ.get("K_REVISION", "")},
        "context": {"reportLocation": dict(zip(names, place, strict=True))},
    }


def configure(stream: TextIO | None = None) -> None:
    """Sends all logs of the process, uvicorn's too, to one JSON stream."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.INFO)
