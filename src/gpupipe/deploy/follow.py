"""Follows files through the pipeline: which execution works on each, and what became of it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self
from urllib.parse import quote

from gpupipe.cloud.call import Wait
from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.storage import Object
from gpupipe.core.clock import Clock

_POLL_S = 1.0
_LONGEST_NAME = 1024  # bytes of an object name that Storage takes
# An execution starts after its file came; the two APIs' clocks may differ by a little.
_CLOCKS = timedelta(minutes=1)
_EVER = datetime.fromtimestamp(0, UTC) + _CLOCKS
# An execution may be seen in the list a moment after others that ended later.
_OVERLAP = timedelta(seconds=10)
_FEW = 25  # files of which each look reads every execution
_READERS = 8
_READ_AT_ONCE = 100
Key = tuple[str, str, str]
"""Bucket, name and generation of an input."""
Keep = Callable[[str, str, bytes], None]
DENIED = frozenset({"status_403", "storage_permission_denied"})
"""Codes of failures for want of a grant: calling a service, using a bucket."""
STAGES = ("upload", "queue", "preprocess", "inference", "postprocess")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was uploaded: its path here, the object it became, the seconds that took.

    execution: the id of the one that counts, where it was started by hand.
    """

    path: str
    object: Object
    upload_s: float
    execution: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. state: succeeded, failed, superseded, ignored, waiting.

    seconds: by stage, where known. error_class, error_code and reason say why a file failed,
    stage at which of STAGES.
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
    stage: str = ""


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
    began = clock.monotonic()
    with Follower(cloud, workflow, output_bucket) as follower:
        for one in sent:
            follower.add(one)
        while follower.waiting:
            yield from follower.look()
            deadline_s = timeout_s if follower.begun or start_s is None else start_s
            elapsed_s = clock.monotonic() - began
            if not follower.waiting or elapsed_s > deadline_s:
                break
            what = "the result" if follower.begun else "the trigger to start an execution"
            cloud.caller.on_wait(Wait(what, elapsed_s, deadline_s))
            clock.sleep(pause_s(cloud))
        yield from follower.give_up(f"{deadline_s:.0f} s" if follower.waiting else "")


def working_on(cloud: Cloud, workflow: str, sent: Sent) -> list[Execution]:
    """The executions that have not ended and work on this file."""
    since = (sent.object.created or _EVER) - _CLOCKS
    began = cloud.executions.since(workflow, since)
    return [one for one in began if one.active and one.input() == _key(sent.object)]


def pause_s(cloud: Cloud) -> float:
    """Seconds between two looks at what the pipeline has done."""
    return max(0.1, _POLL_S * cloud.caller.hurry)


class Follower:
    """Files on their way, however many: keeps their names, and of what came out nothing.

    keep: gets the input's name, the output object's and its content, in any thread, before the outcome is told.
    """

    def __init__(
        self, cloud: Cloud, workflow: str, output_bucket: str, keep: Keep | None = None
    ) -> None:
        self._cloud = cloud
        self._workflow = workflow
        self._reader = _Reader(cloud, output_bucket, keep or _forget)
        self._waiting: dict[Key, Sent] = {}
        self._active: dict[Key, str] = {}
        self._cursor: datetime | None = None
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="results")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def waiting(self) -> int:
        """How many files have no outcome yet."""
        return len(self._waiting)

    @property
    def begun(self) -> bool:
        """Whether an execution was seen that works on one of them."""
        return bool(self._active)

    def add(self, sent: Sent) -> None:
        """Follow a file; one that has been there for longer is added before the first look."""
        self._waiting[_key(sent.object)] = sent

    def look(self) -> Iterator[Outcome]:
        """What has come out since the last look.

        Of few files every execution is looked at, of many only those that have ended lately.
        """
        if not self._waiting:
            return
        if len(self._waiting) <= _FEW:
            yield from self._among(self._cloud.executions.since(self._workflow, self._oldest()))
            return
        since = self._oldest() if self._cursor is None else self._cursor - _OVERLAP
        yield from self._among(self._cloud.executions.ended_since(self._workflow, since))

    def give_up(self, after: str) -> Iterator[Outcome]:
        """An outcome for all the rest: what came out after all, and `waiting`."""
        if len(self._waiting) > _FEW:
            yield from self._among(self._cloud.executions.since(self._workflow, self._oldest()))
        for key, one in self._waiting.items():
            yield _unfinished(one, self._active.get(key, ""), after)
        self._waiting.clear()

    def _among(self, executions: Iterator[Execution]) -> Iterator[Outcome]:
        while page := list(islice(executions, _READ_AT_ONCE)):
            ended = [one for one in page if not one.active]
            self._active.update(
                (key, one.execution_id)
                for one in page
                if one.active and (key := one.input()) in self._waiting
            )
            self._cursor = max((one.ended for one in ended if one.ended), default=self._cursor)
            pairs = [
                (self._waiting.pop(key), one)
                for one in ended
                if (key := one.input()) in self._waiting and self._counts(key, one)
            ]
            yield from self._pool.map(lambda pair: self._reader.outcome(*pair), pairs)

    def _counts(self, key: Key, execution: Execution) -> bool:
        return self._waiting[key].execution in {"", execution.execution_id}

    def _oldest(self) -> datetime:
        """When the first execution that may work on one of these files can have started."""
        return min(one.object.created or _EVER for one in self._waiting.values()) - _CLOCKS


def _forget(*_: object) -> None:
    """Keeps nothing."""


def _key(found: Object) -> Key:
    return found.bucket, found.name, str(found.generation)


def _unfinished(sent: Sent, execution: str, after: str) -> Outcome:
    what = f"execution {execution} still runs" if execution else "no execution has started"
    return Outcome(
        sent,
        "waiting",
        seconds={"upload": sent.upload_s},
        reason=f"no result after {after}: {what}",
        execution=execution,
    )


def output_name(kind: str, name: str, generation: int) -> str:
    """Where a result ("results") or an error record ("errors") of an input lies.

    The name of the input is hashed when it gets too long.
    """
    plain = f"{kind}/{name}.{generation}.json"
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"{kind}/{hashlib.sha256(name.encode()).hexdigest()}.{generation}.json"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes an outcome of an execution that has ended."""

    cloud: Cloud
    output_bucket: str
    keep: Keep

    def outcome(self, sent: Sent, execution: Execution) -> Outcome:
        if execution.state == "SUCCEEDED":
            return self._success(sent, execution)
        name = self._earlier_result(sent)
        if name:
            return self._succeeded(sent, execution, name)
        return self._failure(sent, execution)

    def _earlier_result(self, sent: Sent) -> str:
        """The result of this very generation by another execution; "" where there is none.

        A result counts wherever it exists, also beside an error record.
        """
        name = output_name("results", sent.object.name, sent.object.generation)
        found = self.cloud.storage.stat(self.output_bucket, name)
        ours = found is not None and found.metadata.items() >= {
            ("gpupipe-input-name", quote(sent.object.name, safe="")),
            ("gpupipe-input-generation", str(sent.object.generation)),
        }
        return name if ours else ""

    def _success(self, sent: Sent, execution: Execution) -> Outcome:
        result = execution.result if isinstance(execution.result, dict) else {}
        status = str(result.get("status", "success"))
        name = str(result.get("output_file") or "")
        if status != "success" or not name:
            return Outcome(sent, status, execution=execution.execution_id)
        return self._succeeded(sent, execution, name)

    def _succeeded(self, sent: Sent, execution: Execution, name: str) -> Outcome:
        content = self._read(sent, name)
        label, score = headline(content)
        return Outcome(
            sent,
            "succeeded",
            label=label,
            score=score,
            seconds=_seconds(sent, execution, content.get("timings_ms", {})),
            result_object=name,
            execution=execution.execution_id,
        )

    def _failure(self, sent: Sent, execution: Execution) -> Outcome:
        error = execution.error
        details = error if isinstance(error, dict) else {}
        # An execution that names no record wrote none; it tells all that is known itself.
        name = str(details.get("error_file") or "")
        record = self._read(sent, name) if name else {}
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
            stage=str(details.get("stage") or ""),
        )

    def _read(self, sent: Sent, name: str) -> dict[str, Any]:
        raw = self.cloud.storage.read(self.output_bucket, name)
        if raw is not None:
            self.keep(sent.object.name, name, raw)
        return parsed(raw)


def headline(content: Mapping[str, Any]) -> tuple[str, float | None]:
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


def parsed(raw: bytes | None) -> dict[str, Any]:
    """A result or error record; empty where it is none."""
    try:
        found = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
