"""Executions: a list of them, and the life of one file as a timeline."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.cloud.executions import Execution
from gpupipe.deploy.follow import headline
from gpupipe.deploy.journey import Journey, Stage
from gpupipe.deploy.logs import SEVERITIES, WORKFLOW, Line
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say
from gpupipe.render.logs import line_json, line_text

LIST_SCHEMA = "gpupipe.executions/1"
SHOW_SCHEMA = "gpupipe.execution/1"
STYLES = {"SUCCEEDED": "green", "FAILED": "bold red", "CANCELLED": "yellow", "ACTIVE": "cyan"}
_ID = 8
_WARNING = SEVERITIES.index("WARNING")
_SHOWN_LINES = 20


def executions_json(executions: Sequence[Execution]) -> dict[str, Any]:
    """The documented shape of a list."""
    return {"schema": LIST_SCHEMA, "executions": [execution_json(one) for one in executions]}


def execution_json(one: Execution) -> dict[str, Any]:
    """The documented shape of one."""
    return {
        "id": one.execution_id,
        "state": one.state,
        "file": one.file,
        "started": one.started,
        "ended": one.ended,
        "error": one.error,
    }


def print_executions(console: Console, executions: Sequence[Execution]) -> None:
    """A table for people."""
    for line in columns(
        ("state", "started", ">seconds", "execution", "file"), [_row(one) for one in executions]
    ):
        say(console, line)


def _row(one: Execution) -> list[Cell]:
    return [
        Text(one.state.lower(), STYLES.get(one.state, "")),
        f"{one.started:%Y-%m-%d %H:%M:%S}Z" if one.started else "",
        _seconds(one),
        one.execution_id[:_ID],
        one.file,
    ]


def _seconds(one: Execution) -> str:
    return f"{(one.ended - one.started).total_seconds():.1f}" if one.ended and one.started else ""


def journey_json(found: Journey) -> dict[str, Any]:
    """The documented shape of one file's life."""
    return {
        "schema": SHOW_SCHEMA,
        **execution_json(found.execution),
        "object": None
        if found.object is None
        else {
            "bucket": found.object.bucket,
            "name": found.object.name,
            "generation": str(found.object.generation),
            "size": found.object.size,
            "created": found.object.created,
        },
        "steps": [_stage_json(one) for one in found.stages],
        "result": found.execution.result,
        "outcome_object": found.outcome_name,
        "outcome": dict(found.outcome),
        "reason": found.reason,
        "hint": found.hint,
        "lines": [line_json(one) for one in found.lines],
        "notes": list(found.notes),
    }


def _stage_json(one: Stage) -> dict[str, Any]:
    return {
        "step": one.name,
        "service": one.service,
        "state": one.state,
        "began": one.began,
        "seconds": one.seconds,
        "calls": one.calls,
        "retries": one.tries_again,
        "waited_s": one.waited_s,
        "cold": one.cold,
        "device": one.device,
        "items": one.items,
        "batch": one.batch,
        "error": one.error,
    }


def print_journey(console: Console, found: Journey) -> None:
    """The timeline for people."""
    execution = found.execution
    took = _seconds(execution)
    head = Text(f"{execution.file or 'no file'}  ", "bold")
    head.append(execution.state.lower(), STYLES.get(execution.state, ""))
    head.append(f" after {took} s" if took else "")
    say(console, head)
    say(console, f"execution {execution.execution_id}", "dim")
    say(console, "")
    for moment, what, words, style in _moments(found):
        line = Text(f"  {_clock(moment):<14}", "dim")
        line.append(f"{what:<13}", "bold")
        line.append(words, style)
        say(console, line)
    for note in found.notes:
        say(console, f"  {note}", "yellow")
    if execution.state == "FAILED":
        _print_failure(console, found)


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}Z" if moment else ""


def _moments(found: Journey) -> Iterator[tuple[datetime | None, str, str, str]]:
    """Time, what it is, words and style of each line of the timeline."""
    execution, source = found.execution, found.object
    if source is not None:
        place = f"gs://{source.bucket}/{source.name}"
        words = f"{source.size:,} bytes, generation {source.generation}  {place}"
        yield source.created, "upload", words, ""
    yield execution.started, "event", _event(found), ""
    for stage in found.stages:
        style = "red" if stage.state == "FAILED" else ""
        yield stage.began, stage.name, _stage(stage), style
    if execution.active:
        return
    yield execution.ended, _end(execution.state), _outcome(found), STYLES.get(execution.state, "")


def _event(found: Journey) -> str:
    """How long the file had waited for its execution; started by hand where no event did."""
    execution, source = found.execution, found.object
    argument = execution.argument if isinstance(execution.argument, Mapping) else {}
    if not isinstance(argument.get("data"), Mapping):
        return "the execution was started by hand"
    if source is None or not (source.created and execution.started):
        return "the execution started"
    waited = max(0.0, (execution.started - source.created).total_seconds())
    return f"the execution started {waited:.2f} s after the upload"


def _stage(stage: Stage) -> str:
    parts = [f"{stage.seconds:.2f} s"]
    if stage.state == "IN_PROGRESS":
        parts = ["at work"]
    if stage.calls > 1:
        parts.append(f"{stage.calls} calls")
    if stage.tries_again:
        parts.append(f"{stage.tries_again} tried again after {stage.waited_s:.1f} s of waiting")
    if stage.cold is not None:
        parts.append("cold start" if stage.cold else "warm")
    if stage.items:
        parts.append(f"{stage.items:,} {'item' if stage.items == 1 else 'items'}")
    if stage.batch:
        most = "up to " if stage.items > stage.batch else ""
        parts.append(f"in a batch of {most}{stage.batch:,}")
    if stage.device:
        parts.append(f"on {stage.device}")
    if stage.error:
        parts.append(stage.error)
    return ", ".join(parts)


def _end(state: str) -> str:
    return {"SUCCEEDED": "result", "FAILED": "error"}.get(state, state.lower())


def _outcome(found: Journey) -> str:
    if found.execution.state != "SUCCEEDED":
        return found.reason
    label, score = headline(found.outcome)
    result = found.execution.result
    status = str(result.get("status", "")) if isinstance(result, Mapping) else ""
    scored = f"{label} {score:.3f}" if score is not None else label
    return "  ".join(part for part in (scored or status, found.outcome_name) if part)


def _print_failure(console: Console, found: Journey) -> None:
    say(console, "")
    code, kind = found.error.get("code"), found.error.get("class")
    what = f" ({', '.join(str(part) for part in (kind, code) if part)})" if code or kind else ""
    say(console, f"Error{what}: {found.reason}", "bold red")
    if found.outcome_name:
        say(console, f"Error record: {found.outcome_name}")
    if found.hint:
        say(console, f"What usually helps: {found.hint}")
    lines = _of_the_failure(found)
    if lines:
        say(console, "")
        for line in lines:
            say(console, line_text(line))


def _of_the_failure(found: Journey) -> list[Line]:
    """What the service of the failed step said, and what anything warned of: the last lines."""
    failed = {one.service for one in found.stages if one.state == "FAILED"} - {""}
    lines = [
        line
        for line in found.lines
        if line.source in failed
        or (SEVERITIES.index(line.entry.severity) >= _WARNING and line.source != WORKFLOW)
    ]
    return lines[-_SHOWN_LINES:]
