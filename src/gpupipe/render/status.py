"""The state of a pipeline: resources, health, the last executions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gpupipe.cloud.executions import Execution
from gpupipe.cloud.target import Target
from gpupipe.deploy.canary import PREFIX
from gpupipe.deploy.health import State
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.render.summary import outputs

SCHEMA = "gpupipe.status/1"
_STYLES = {"ready": "green", "absent": "dim", "changing": "yellow", "failed": "bold red",
           "SUCCEEDED": "green", "FAILED": "bold red", "ACTIVE": "cyan"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """What status shows."""

    target: Target
    spec: PipelineSpec
    resources: tuple[State, ...]
    uris: Mapping[str, str]
    executions: tuple[Execution, ...]
    pipelines: tuple[str, ...]

    @property
    def exists(self) -> bool:
        """Whether there is anything of this pipeline."""
        return any(one.state != "absent" for one in self.resources)

    @property
    def healthy(self) -> bool:
        """Whether everything is ready."""
        return all(one.state == "ready" for one in self.resources)


def status_json(status: Status) -> dict[str, Any]:
    """The documented shape; resources are empty where there is no pipeline."""
    return {
        "schema": SCHEMA,
        **outputs(status.target, status.spec, dict(status.uris)),
        "exists": status.exists,
        "healthy": status.exists and status.healthy,
        "resources": [
            {"kind": one.kind, "name": one.name, "state": one.state, "detail": one.detail}
            for one in status.resources
            if status.exists
        ],
        "executions": [_execution_json(one) for one in status.executions],
        "pipelines": list(status.pipelines),
    }


def _execution_json(one: Execution) -> dict[str, Any]:
    return {
        "id": one.execution_id,
        "state": one.state,
        "file": _file(one),
        "started": one.started,
        "ended": one.ended,
        "error": one.error,
    }


def print_status(console: Console, status: Status) -> None:
    """The tables for people."""
    if not status.exists:
        console.print(f"There is no pipeline {status.spec.names.prefix} here.", markup=False)
        console.print(f"Pipelines in this project: {', '.join(status.pipelines) or 'none'}.")
        return
    console.print(_resources(status))
    word = "healthy" if status.healthy else "not healthy"
    console.print(
        Text(f"\nThe pipeline is {word}.", style="green" if status.healthy else "bold red")
    )
    if status.executions:
        console.print(_executions(status))


def _resources(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("resource", "name", "state", ""):
        table.add_column(column, overflow="fold")
    for one in status.resources:
        table.add_row(
            one.kind,
            Text(one.name),
            Text(one.state, style=_STYLES.get(one.state, "yellow")),
            Text(one.detail, style="dim"),
        )
    return table


def _executions(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="Last executions",
                  title_justify="left")  # fmt: skip
    for column in ("execution", "state", "seconds", "file"):
        table.add_column(column, overflow="fold")
    for one in status.executions:
        file = _file(one)
        if file.startswith(PREFIX):
            continue
        seconds = (one.ended - one.started).total_seconds() if one.ended and one.started else None
        table.add_row(
            one.execution_id[:8],
            Text(one.state.lower(), style=_STYLES.get(one.state, "")),
            "" if seconds is None else f"{seconds:.1f}",
            Text(file),
        )
    return table


def _file(one: Execution) -> str:
    found = one.input()
    return found[1] if found else ""
