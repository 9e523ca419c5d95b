"""Errors: faults of a source, errors that a running workflow raises, and how an execution fails."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a source, at a line and column counted from 1."""

    message: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class SourceError(Exception):
    """A source that cannot be deployed, with every fault that was found."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class ExpressionError(Exception):
    """An expression that cannot be parsed; the loader gives it a place in the source."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an error passed on its way out."""

    step: str
    routine: str
    line: int
    column: int


class WorkflowError(Exception):
    """An error inside a running workflow. `value` is what `except` sees; `frames` innermost first."""

    def __init__(self, value: Any, frames: list[Frame] | None = None) -> None:
        super().__init__(value)
        self.value = value
        self.frames: list[Frame] = frames or []

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of an error that the service raised."""
        tags = self.value.get("tags") if isinstance(self.value, dict) else None
        return tuple(tags) if isinstance(tags, list) else ()

    @property
    def can_be_caught(self) -> bool:
        """A used-up limit ends the execution at once."""
        return "ResourceLimitError" not in self.tags


# A missing key is reported with both tags (seen in a log of the service).
_TAGS = {"KeyError": ["KeyError", "LookupError"], "IndexError": ["IndexError", "LookupError"]}


def raised(tag: str, message: str, **more: Any) -> WorkflowError:
    """An error of the service: a map with `message` and `tags`."""
    return WorkflowError({"message": f"{tag}: {message}", "tags": _TAGS.get(tag, [tag]), **more})


@dataclass(slots=True)
class ExecutionFailed(Exception):  # noqa: N818  # named after the state that it leads to
    """An execution that ended in an error: what Execution.error holds."""

    payload: str
    context: str
    stack_trace: tuple[Frame, ...] = field(default=())


def failure(error: WorkflowError) -> ExecutionFailed:
    """The error of an execution as the API shows it."""
    payload = json.dumps(error.value, ensure_ascii=False, default=str)
    message = error.value.get("message") if isinstance(error.value, dict) else None
    # For a value that the service did not make, the first line is our recollection of the format.
    first = message if isinstance(message, str) else f"RuntimeError: {payload}"
    lines = [
        f'in step "{one.step}", routine "{one.routine}", line: {one.line}' for one in error.frames
    ]
    return ExecutionFailed(payload, "\n".join([first, *lines]), tuple(error.frames))
