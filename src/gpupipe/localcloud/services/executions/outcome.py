"""How an execution's message changes when it gets its place and when it ends."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.workflows.errors import ExecutionFailed

QUEUED = int(pb.Execution.State.QUEUED)
ACTIVE = int(pb.Execution.State.ACTIVE)
_SUCCEEDED = int(pb.Execution.State.SUCCEEDED)
_FAILED = int(pb.Execution.State.FAILED)
_CANCELLED = int(pb.Execution.State.CANCELLED)
Change = Callable[[Any, datetime], None]


def active(execution: Any, now: datetime) -> None:
    """It has its place at last, and starts now."""
    execution.state = ACTIVE
    execution.start_time.FromDatetime(now)


def succeeded(result: str) -> Change:
    """It ended with a result, as JSON."""

    def change(execution: Any, now: datetime) -> None:
        execution.result = result
        _ended(execution, _SUCCEEDED, now)

    return change


def failed(error: ExecutionFailed) -> Change:
    """It ended in an error."""

    def change(execution: Any, now: datetime) -> None:
        execution.error.payload = error.payload
        execution.error.context = error.context
        for frame in error.stack_trace:
            element = execution.error.stack_trace.elements.add(
                step=frame.step, routine=frame.routine
            )
            element.position.line, element.position.column = frame.line, frame.column
        _ended(execution, _FAILED, now)

    return change


def cancelled(execution: Any, now: datetime) -> None:
    """Somebody cancelled it."""
    _ended(execution, _CANCELLED, now)


def at_steps(execution: Any, steps: Iterable[tuple[str, str]]) -> None:
    """Routine and step of what is at work, or was at last."""
    for routine, step in steps:
        execution.status.current_steps.add(routine=routine, step=step)


def _ended(execution: Any, state: int, now: datetime) -> None:
    execution.state = state
    execution.end_time.FromDatetime(now)
    execution.duration.FromTimedelta(now - execution.start_time.ToDatetime(now.tzinfo))
