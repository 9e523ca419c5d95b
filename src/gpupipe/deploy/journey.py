"""One file's life, put together from what the cloud keeps of it.

The object tells when it came, the execution when it began and how it ended, its steps what was
called and how often, the logs of the services on which instance and device, and the output bucket
what came out. Each may be gone or not readable: then its part is left out, and `notes` says so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.step_entries import StepEntry
from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import parsed
from gpupipe.deploy.hints import hint
from gpupipe.deploy.logs import WORKFLOW, Line, of_execution, quoted
from gpupipe.deploy.spec import PipelineSpec

_MOST_STEPS = 20_000
_MOST_LINES = 500
_INSTANCES = 100
# The clocks of Workflows and of Cloud Run may differ by a little.
_CLOCKS = timedelta(seconds=1)
_CALLS = frozenset({"STEP_SUBWORKFLOW_CALL", "STEP_STD_LIB_CALL", "STEP_CONNECTOR_CALL"})
_AGAIN = _CALLS | {"STEP_TRY_RETRY_EXCEPT"}
# What only logs in the shipped workflow: its routines and a step.
_TELLING = frozenset({"tell", "finish", "tell_failure"})
_SEND, _PAUSE = ("call_service", "send"), ("call_service", "wait")
_SERVICES = {"preprocess": "preprocess", "score": "gpu-inference", "postprocess": "postprocess",
             "record": "postprocess"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the workflow that calls something.

    service: which one, "" where that is not known; calls: how many, of one with many parts;
    tries_again: those that were made once more, waited_s: the pauses before these; cold: whether an
    instance began for it, None where not known; device and items: as the service tells them; batch: rows
    of the largest batch on the device that it was part of, 0 where not told.
    """

    name: str
    service: str
    state: str
    began: datetime
    seconds: float
    calls: int
    tries_again: int
    waited_s: float
    error: str
    cold: bool | None
    device: str
    items: int
    batch: int


@dataclass(frozen=True, slots=True)
class Journey:
    """What became of one file. outcome: the parsed result or error record; empty where there is none.

    lines: what services and workflow said, oldest first; hint: for a failed one, what usually helps.
    """

    execution: Execution
    object: Object | None
    stages: tuple[Stage, ...]
    outcome_name: str
    outcome: Mapping[str, Any]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def error(self) -> Mapping[str, Any]:
        """What the execution raised; empty where it did not, or nothing that has fields."""
        found = self.execution.error
        return found if isinstance(found, Mapping) else {}

    @property
    def reason(self) -> str:
        """Why it failed, in a sentence; "" where it did not."""
        found = self.execution.error
        return str(self.error.get("message") or found) if found is not None else ""

    @property
    def hint(self) -> str:
        """What usually helps."""
        if self.execution.state != "FAILED":
            return ""
        return hint(str(self.error.get("class", "system")), str(self.error.get("code", "")))


def journey(cloud: Cloud, spec: PipelineSpec, execution: Execution) -> Journey:
    """Read all that is known of an execution."""
    notes: list[str] = []
    steps = _steps(cloud, execution, notes)
    lines = _lines(cloud, spec, execution, notes)
    name = _outcome_name(execution)
    output = spec.names.bucket("output")
    return Journey(
        execution=execution,
        object=_object(cloud, spec, execution, notes),
        stages=tuple(_stages(steps, lines, _births(cloud, spec, lines))),
        outcome_name=f"gs://{output}/{name}" if name else "",
        outcome=parsed(cloud.storage.read(output, name)) if name else {},
        lines=tuple(lines),
        notes=tuple(notes),
    )


def _steps(cloud: Cloud, execution: Execution, notes: list[str]) -> list[StepEntry]:
    try:
        found = list(islice(cloud.steps.of(execution.name), _MOST_STEPS))
    except ApiError as error:
        notes.append(f"Its steps cannot be read: {error.refusal.message or error.refusal.code}")
        return []
    if len(found) == _MOST_STEPS:
        notes.append(f"Only its first {_MOST_STEPS:,} steps were read.")
    return found


def _lines(cloud: Cloud, spec: PipelineSpec, execution: Execution, notes: list[str]) -> list[Line]:
    try:
        return of_execution(cloud, spec, execution.execution_id, _MOST_LINES)
    except ApiError as error:
        notes.append(f"Its log lines cannot be read: {error.refusal.message}")
        return []


def source_of(spec: PipelineSpec, execution: Execution) -> tuple[str, str, int | None] | None:
    """Bucket, name and generation of the file that it works on, as far as it tells; None for none."""
    found = execution.input()
    if found is None:
        return None
    bucket, name, generation = found
    if not generation.isdecimal() and isinstance(execution.result, Mapping):
        generation = str(execution.result.get("generation"))
    number = int(generation) if generation.isdecimal() else None
    return bucket or spec.names.bucket("input"), name, number


def _object(
    cloud: Cloud, spec: PipelineSpec, execution: Execution, notes: list[str]
) -> Object | None:
    """The generation that it works on, where that is still there."""
    source = source_of(spec, execution)
    if source is None:
        return None
    found = cloud.storage.stat(*source)
    if found is None:
        notes.append("The object is not there any more.")
    return found


def _outcome_name(execution: Execution) -> str:
    """The object of the result or of the error record; "" where none was written."""
    if execution.state == "SUCCEEDED":
        found, key = execution.result, "output_file"
    else:
        found, key = execution.error, "error_file"
    return str(found.get(key) or "") if isinstance(found, Mapping) else ""


def _births(cloud: Cloud, spec: PipelineSpec, lines: Sequence[Line]) -> dict[str, datetime]:
    """When each instance that had a part in it had become ready, as far as a log tells."""
    instances = {instance_of(line) for line in lines} - {""}
    if not instances:
        return {}
    which = " OR ".join(
        f"labels.instanceId={quoted(one)}" for one in sorted(instances)[:_INSTANCES]
    )
    where = f'resource.type="cloud_run_revision" AND jsonPayload.message="ready" AND ({which})'
    found = cloud.logging.newest(spec.names.project, where, _INSTANCES)
    return {one.labels["instanceId"]: one.time for one in found}


def _stages(
    steps: Sequence[StepEntry], lines: Sequence[Line], births: Mapping[str, datetime]
) -> Iterator[Stage]:
    """The steps of `main` that call something, in order."""
    below: dict[int, list[StepEntry]] = {}
    for one in steps:
        below.setdefault(one.parent, []).append(one)
    for step in steps:
        if step.routine != "main" or step.kind not in _CALLS or step.iteration:
            continue
        if {step.step, *(part.routine for part in below.get(step.number, ()))} & _TELLING:
            continue
        yield _stage(step, list(_all_below(step, below)), _during(step, lines), births)


def _all_below(step: StepEntry, below: Mapping[int, list[StepEntry]]) -> Iterator[StepEntry]:
    todo = list(below.get(step.number, ()))
    while todo:
        one = todo.pop()
        yield one
        todo += below.get(one.number, ())


def _during(step: StepEntry, lines: Sequence[Line]) -> list[Line]:
    """What the service said that the step called, while it did."""
    service = _SERVICES.get(step.step, WORKFLOW)
    ended = None if step.state == "STATE_IN_PROGRESS" else step.ended + _CLOCKS
    return [
        line
        for line in lines
        if line.source == service
        and step.began - _CLOCKS <= line.entry.time
        and (ended is None or line.entry.time <= ended)
    ]


def _stage(
    step: StepEntry,
    parts: Sequence[StepEntry],
    said: Sequence[Line],
    births: Mapping[str, datetime],
) -> Stage:
    born = [births[one] for line in said if (one := instance_of(line)) in births]
    devices = [str(line.entry.fields["device"]) for line in said if "device" in line.entry.fields]
    again = _again(parts)
    return Stage(
        name=step.step,
        service=_SERVICES.get(step.step, ""),
        state=step.state.removeprefix("STATE_"),
        began=step.began,
        seconds=step.seconds,
        calls=sum((one.routine, one.step) == _SEND for one in parts) - again,
        tries_again=again,
        waited_s=sum(one.seconds for one in parts if (one.routine, one.step) == _PAUSE),
        error=_words(step.error),
        cold=any(moment >= step.began for moment in born) if born else None,
        device=devices[0] if devices else "",
        items=sum(_number(line, "items") for line in said),
        batch=max((_number(line, "batch") for line in said), default=0),
    )


def _number(line: Line, field: str) -> int:
    """A field of a structured entry; 0 where it has none, or none that is a number."""
    found = line.entry.fields.get(field)
    return int(found) if isinstance(found, int | float) else 0


def _again(parts: Sequence[StepEntry]) -> int:
    """How often a call was made once more: such a step comes again below the same one."""
    counted = Counter(
        (one.parent, one.routine, one.step)
        for one in parts
        if one.kind in _AGAIN and not one.iteration
    )
    most: dict[int, int] = {}
    for (parent, _, _), count in counted.items():
        most[parent] = max(most.get(parent, 0), count - 1)
    return sum(most.values())


def instance_of(line: Line) -> str:
    """The instance that said it; "" where none did."""
    return line.entry.labels.get("instanceId", "")


def _words(error: Any) -> str:
    """What a step raised, in a sentence: a service's own words before the library's."""
    if not isinstance(error, Mapping):
        return "" if error is None else str(error)
    body = error.get("body")
    own = body.get("error") if isinstance(body, Mapping) else None
    told = own.get("message") if isinstance(own, Mapping) else None
    code = error.get("code")
    words = str(told or error.get("message") or "")
    return f"{code}: {words}" if code else words
