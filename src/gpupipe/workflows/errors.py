"""Errors: faults of a source, errors that a running workflow raises, and how an execution fails."""

import json
from dataclasses import dataclass, field
from typing import Any

_TEXT_CHARACTERS = 2000
_LINE_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a source, at a line and column counted from 1."""

    message: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class SourceError(Exception):
    """A source that cannot be deployed: `faults` are all of them, the text as many as fit."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(_told(faults))
        self.faults = faults


def _told(faults: tuple[Fault, ...]) -> str:
    """One line for each fault. It travels in a status, which has room for a few thousand bytes."""
    lines: list[str] = []
    room = _TEXT_CHARACTERS
    for fault in faults:
        line = str(fault)[:_LINE_CHARACTERS]
        room -= len(line) + 1
        if lines and room < 0:
            return "\n".join([*lines, f"and {len(faults) - len(lines)} more"])
        lines.append(line)
    return "\n".join(lines)


class ExpressionError(Exception):
    """An expression that cannot be parsed. `position`: characters from its beginning."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an error passed on its way out."""

    step: str
    routine: str
    line: int
    column: int


class WorkflowError(Exception):
    """An error inside a running workflow.

    `value` is what `except` sees; `frames` innermost first. One that cannot be caught is a used-up
    limit, which ends the execution at once; a map that looks like it and that a `raise` step made
    is caught like any other.
    """

    def __init__(self, value: Any, *, can_be_caught: bool = True) -> None:
        super().__init__(value)
        self.value = value
        self.can_be_caught = can_be_caught
        self.frames: list[Frame] = []


# A missing key is reported with both tags (seen in a log of the service).
_TAGS = {"KeyError": ["KeyError", "LookupError"], "IndexError": ["IndexError", "LookupError"]}


def raised(tag: str, message: str, **more: Any) -> WorkflowError:
    """An error of the service: a map with `message` and `tags`."""
    value = {"message": f"{tag}: {message}", "tags": list(_TAGS.get(tag, [tag])), **more}
    return WorkflowError(value, can_be_caught=tag != "ResourceLimitError")


@dataclass(slots=True)
class ExecutionFailed(Exception):  # noqa: N818  # named after the state that it leads to
    """An execution that ended in an error: what Execution.error holds."""

    payload: str
    context: str
    stack_trace: tuple[Frame, ...] = field(default=())


def failure(error: WorkflowError) -> ExecutionFailed:
    """The error of an execution as the API shows it."""
    payload = _payload(error.value)
    # For a value that the service did not make, the first line is our recollection of the format.
    first = error.value["message"] if _is_of_service(error.value) else f"RuntimeError: {payload}"
    lines = [
        f'in step "{one.step}", routine "{one.routine}", line: {one.line}' for one in error.frames
    ]
    return ExecutionFailed(payload, "\n".join([first, *lines]), tuple(error.frames))


def _is_of_service(value: Any) -> bool:
    """Errors of the service have a message and tags; a `raise` step may pass one on."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("message"), str)
        and isinstance(value.get("tags"), list)
    )


def _payload(value: Any) -> str:
    """A value as JSON; bytes, NaN and what is nested too deeply only as text."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return json.dumps(str(value), ensure_ascii=False)
    except RecursionError:
        return json.dumps("the value is nested too deeply for JSON")
