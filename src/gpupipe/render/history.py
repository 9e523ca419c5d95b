"""The runs of a pipeline: who deployed or destroyed it when, and how that ended."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from gpupipe.deploy.history import Run
from gpupipe.render.columns import columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.history/1"


def history_json(runs: Sequence[Run]) -> dict[str, Any]:
    """The documented shape."""
    return {"schema": SCHEMA, "runs": [_json(run) for run in runs]}


def print_history(console: Console, runs: Sequence[Run]) -> None:
    """A line a run, newest first; below it what failed."""
    if not runs:
        say(console, "No run of this pipeline has left a record.")
        return
    rows = [
        (f"{run.began:%Y-%m-%d %H:%M:%S} UTC", run.command, run.result, str(len(run.done)), run.who)
        for run in runs
    ]
    head, *lines = columns(("began", "run", "result", ">changes", "by"), rows)
    say(console, head)
    for run, line in zip(runs, lines, strict=True):
        say(console, line)
        for one in run.failed:
            say(console, f"  not done: {one}", "dim")
        if run.canary not in {"", "succeeded"}:
            say(console, f"  canary: {run.canary}", "dim")


def _json(run: Run) -> dict[str, Any]:
    return {**asdict(run), "began": run.began.isoformat(), "ended": run.ended.isoformat()}
