"""Follows files through the pipeline: which execution works on each, and what became of it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.storage import Object
from gpupipe.core.clock import Clock

_POLL_S = 1.0
_LONGEST_NAME = 1024  # bytes of an object name that Storage takes
# An execution starts after its file came; the two APIs' clocks may differ by a little.
_CLOCKS = timedelta(minutes=1)
_EVER = datetime.fromtimestamp(0, UTC) + _CLOCKS
DENIED = frozenset({"status_403", "storage_permission_denied"})
"""Codes of failures for want of a grant: calling a service, using a bucket."""
STAGES = ("upload", "queue", "preprocess", "inference", "postprocess")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was uploaded: its path here, the object it became, the seconds that took."""

    path: str
    object: Object
    upload_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. state: succeeded, failed, superseded, ignored, waiting.

    seconds: by stage, where known. error_class, error_code and reason say why a file failed.
    """

    sent: Sent
    state: str
    label: str = ""
    score: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    result_object: str = ""
    error_object: str = ""
    error_class: str = ""
    error_code: str = ""
    reason: str = ""
    execution: str = ""


def follow(
    cloud: Cloud,
    workflow: str,
    output_bucket: str,
    sent: Sequence[Sent],
    *,
    clock: Clock,
    timeout_s: float,
    start_s: float | None = None,
) -> Iterator[Outcome]:
    """An outcome for each file as soon as it has one; `waiting` for the rest at the deadline.

    start_s: an earlier deadline for when no execution has begun to work on any of them.
    """
    waiting = {
        (one.object.bucket, one.object.name, str(one.object.generation)): one for one in sent
    }
    active: dict[tuple[str, str, str], str] = {}
    began = clock.monotonic()
    while waiting:
        for execution in cloud.executions.since(workflow, _oldest(waiting.values())):
            key = execution.input()
            if key not in waiting:
                continue
            if execution.active:
                active[key] = execution.execution_id
            else:
                yield _outcome(cloud, output_bucket, waiting.pop(key), execution)
        deadline_s = timeout_s if active or start_s is None else start_s
        if not waiting or clock.monotonic() - began > deadline_s:
            break
        clock.sleep(max(0.1, _POLL_S * cloud.caller.hurry))
    for key, one in waiting.items():
        yield _unfinished(one, active.get(key, ""), deadline_s)


def _oldest(waiting: Iterable[Sent]) -> datetime:
    """When the first execution that may work on one of these files can have started."""
    return min(one.object.created or _EVER for one in waiting) - _CLOCKS


def _unfinished(sent: Sent, execution: str, timeout_s: float) -> Outcome:
    what = f"execution {execution} still runs" if execution else "no execution has started"
    return Outcome(
        sent,
        "waiting",
        seconds={"upload": sent.upload_s},
        reason=f"no result after {timeout_s:.0f} s: {what}",
        execution=execution,
    )


def _outcome(cloud: Cloud, output_bucket: str, sent: Sent, execution: Execution) -> Outcome:
    if execution.state == "SUCCEEDED":
        return _success(cloud, output_bucket, sent, execution)
    name = _earlier_result(cloud, output_bucket, sent)
    if name:
        return _succeeded(cloud, output_bucket, sent, execution, name)
    return _failure(cloud, output_bucket, sent, execution)


def _earlier_result(cloud: Cloud, output_bucket: str, sent: Sent) -> str:
    """The result of this very generation by another execution; "" where there is none.

    A result counts wherever it exists, also beside an error record.
    """
    name = result_name(sent.object.name, sent.object.generation)
    found = cloud.storage.stat(output_bucket, name)
    ours = found is not None and found.metadata.items() >= {
        ("gpupipe-input-name", quote(sent.object.name, safe="")),
        ("gpupipe-input-generation", str(sent.object.generation)),
    }
    return name if ours else ""


def result_name(name: str, generation: int) -> str:
    """Where postprocess writes the result of an input: its name, hashed when it gets too long."""
    plain = f"results/{name}.{generation}.json"
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"results/{hashlib.sha256(name.encode()).hexdigest()}.{generation}.json"


def _failure(cloud: Cloud, output_bucket: str, sent: Sent, execution: Execution) -> Outcome:
    error = execution.error
    details = error if isinstance(error, dict) else {}
    # An execution that names no record wrote none; it tells all that is known itself.
    name = str(details.get("error_file") or "")
    record = _json(cloud.storage.read(output_bucket, name)) if name else {}
    told = record.get("error", {}) if isinstance(record.get("error"), dict) else {}
    return Outcome(
        sent,
        "failed",
        seconds=_seconds(sent, execution, {}),
        error_object=name if record else "",
        error_class=str(record.get("class") or details.get("class") or "system"),
        error_code=str(told.get("code") or details.get("code") or ""),
        reason=str(told.get("message") or details.get("message") or error or execution.state),
        execution=execution.execution_id,
    )


def _success(cloud: Cloud, output_bucket: str, sent: Sent, execution: Execution) -> Outcome:
    result = execution.result if isinstance(execution.result, dict) else {}
    status = str(result.get("status", "success"))
    name = str(result.get("output_file") or "")
    if status != "success" or not name:
        return Outcome(sent, status, execution=execution.execution_id)
    return _succeeded(cloud, output_bucket, sent, execution, name)


def _succeeded(
    cloud: Cloud, output_bucket: str, sent: Sent, execution: Execution, name: str
) -> Outcome:
    content = _json(cloud.storage.read(output_bucket, name))
    label, score = _headline(content)
    return Outcome(
        sent,
        "succeeded",
        label=label,
        score=score,
        seconds=_seconds(sent, execution, content.get("timings_ms", {})),
        result_object=name,
        execution=execution.execution_id,
    )


def _headline(content: Mapping[str, Any]) -> tuple[str, float | None]:
    """The label and score of a file of one item; the most frequent label of one with many."""
    items = content.get("items") or []
    if len(items) == 1:
        return str(items[0].get("label", "")), items[0].get("score")
    by_label = content.get("summary", {}).get("by_label", {})
    best = max(by_label, key=lambda label: by_label[label], default="")
    return (f"{best} ({by_label[best]} of {sum(by_label.values())})" if best else ""), None


def _seconds(sent: Sent, execution: Execution, timings: Any) -> dict[str, float]:
    """Seconds by stage. The queue is from the object's arrival to the start of its execution."""
    found = {"upload": sent.upload_s}
    if execution.started and sent.object.created:
        waited = (execution.started - sent.object.created).total_seconds()
        found["queue"] = max(0.0, waited)
    if isinstance(timings, Mapping):
        for stage in ("preprocess", "inference", "postprocess"):
            if timings.get(stage) is not None:
                found[stage] = float(timings[stage]) / 1000
    return found


def _json(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
