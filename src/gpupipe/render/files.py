"""What became of the files that were sent: one row a file."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gpupipe.deploy.follow import STAGES, Outcome

SCHEMA = "gpupipe.test-upload/1"
_STYLES = {"succeeded": "green", "failed": "bold red", "waiting": "yellow"}


def files_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The documented shape."""
    return {"schema": SCHEMA, "files": [_file_json(one) for one in outcomes]}


def _file_json(one: Outcome) -> dict[str, Any]:
    return {
        "file": one.sent.path,
        "object": one.sent.object.name,
        "generation": str(one.sent.object.generation),
        "state": one.state,
        "label": one.label,
        "score": one.score,
        "seconds": dict(one.seconds),
        "result_object": one.result_object,
        "error_object": one.error_object,
        "class": one.error_class,
        "reason": one.reason,
        "execution": one.execution,
    }


def print_files(console: Console, outcomes: Sequence[Outcome]) -> None:
    """The table for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold", ratio=2)
    table.add_column("label", no_wrap=True)
    table.add_column("score", justify="right")
    for stage in STAGES:
        table.add_column(stage, justify="right")
    table.add_column("result", overflow="fold", ratio=3)
    for one in outcomes:
        table.add_row(
            Text(one.sent.object.name),
            Text(one.label or one.state, style=_STYLES.get(one.state, "")),
            "" if one.score is None else f"{one.score:.3f}",
            *(_seconds(one, stage) for stage in STAGES),
            Text(one.result_object or one.reason, style="" if one.result_object else "red"),
        )
    console.print(table)


def _seconds(one: Outcome, stage: str) -> str:
    seconds = one.seconds.get(stage)
    return "" if seconds is None else f"{seconds:.2f} s"
