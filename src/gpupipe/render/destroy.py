"""What a destroy will remove, and the proof that it did."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from gpupipe.deploy.destroy import AS_ASKED, YOURS, Removal
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.pipelines import Pipeline
from gpupipe.render.console import say
from gpupipe.render.errors import error_json, lines
from gpupipe.render.pace import duration
from gpupipe.render.pipelines import pipelines_json
from gpupipe.render.plan import action_json

SCHEMA = "gpupipe.destroy/1"
TOMBSTONES = (
    "build records, log entries and metric points (they cost nothing and expire)",
    "names of deleted service accounts, which Google can restore for 30 days",
)
"""What Google keeps after a destroy: neither costs money nor grants access."""


def removal_json(removal: Removal, pipelines: Sequence[Pipeline]) -> dict[str, Any]:
    """The documented shape of a dry run; `pipelines` are those that the project holds."""
    return {
        "schema": SCHEMA,
        "dry_run": True,
        "remove": [action_json(one) for one in removal.actions],
        "running": [{"id": one.execution_id, "file": one.file} for one in removal.running],
        "kept": _kept_json(removal),
        "pipelines": pipelines_json(pipelines),
    }


def destroyed_json(
    removal: Removal,
    outcome: Outcome,
    leftovers: Mapping[Leftover, str],
    pipelines: Sequence[Pipeline],
    held: Mapping[str, datetime],
    seconds: float,
) -> dict[str, Any]:
    """The documented shape of a destroy's answer; `pipelines` are those that the project still holds.

    leftovers: each with the command that removes it; held: as `Facts` has it; seconds: how long it took.
    """
    return {
        "schema": SCHEMA,
        "dry_run": False,
        "removed": [f"{one.kind} {one.name}" for one in outcome.done],
        "failed": [
            {"what": f"{one.kind} {one.name}", "error": error_json(error)}
            for one, error in outcome.errors
        ],
        "skipped": [{"what": f"{one.kind} {one.name}", "why": why} for one, why in outcome.skipped],
        "leftovers": [
            {"kind": one.kind, "name": one.name, "command": command}
            for one, command in leftovers.items()
        ],
        "kept": _kept_json(removal),
        "held": [{"what": what, "until": until} for what, until in sorted(held.items())],
        "tombstones": list(TOMBSTONES),
        "seconds": round(seconds, 3),
        "pipelines": pipelines_json(pipelines),
    }


def _kept_json(removal: Removal) -> list[dict[str, str]]:
    return [{"what": what, "why": why} for what, why in removal.kept]


def print_removal(console: Console, removal: Removal) -> None:
    """What will be removed, in order."""
    if not removal.actions:
        say(console, "There is nothing of this pipeline to remove.")
        return
    if removal.running:
        say(console, "Still running; these files will have no result:", "yellow")
    for run in removal.running:
        say(console, f"  {run.file or '(no file)'} (execution {run.execution_id})")
    say(console, "This will be removed, in this order:")
    for one in removal.actions:
        say(console, f"  {one.kind} {one.name}")
    for what, why in removal.kept:
        say(console, f"  kept: {what} ({why})", "dim")


def print_destroyed(
    console: Console,
    removal: Removal,
    outcome: Outcome,
    leftovers: Mapping[Leftover, str],
    held: Mapping[str, datetime],
    seconds: float,
) -> None:
    """The proof for people. seconds: how long it took, with the inventory."""
    for _, error in outcome.errors:
        for line in lines(error):
            say(console, line)
    for one, why in outcome.skipped:
        say(console, f"Skipped {one.kind} {one.name}: {why}")
    say(console, "")
    took = f"  It took {duration(seconds)}."
    if leftovers:
        say(console, f"Still there: {len(leftovers)}", "bold red")
        say(console, took, "dim")
        for left in leftovers:
            say(console, f"  {left.kind} {left.name}")
        say(console, "Run the same command again; --force goes on after a failure. By hand:")
        for command in dict.fromkeys(leftovers.values()):
            say(console, f"  {command}")
        return
    asked = [what for what, why in removal.kept if why == AS_ASKED]
    yours = [what for what, why in removal.kept if why == YOURS]
    shared = [what for what, why in removal.kept if why not in {AS_ASKED, YOURS}]
    nothing = "Nothing else" if asked else "Nothing"
    say(console, f"{nothing} is left: {len(outcome.done)} resources removed.", "bold green")
    say(console, took, "dim")
    say(console, "  Looked for by name, by label, by account and by binding.")
    _list(console, "Kept, as asked; a destroy without that option removes it:", asked)
    _list(console, "Kept, because it is yours:", yours)
    _list(console, "Kept, because the project shares it:", shared)
    _list(console, "Kept by Google for a while:", (*TOMBSTONES, *_held(held)))


def _held(held: Mapping[str, datetime]) -> list[str]:
    if not held:
        return []
    return [f"traces of {len(held)} of the removed resources, until {max(held.values()):%Y-%m-%d}"]


def _list(console: Console, title: str, items: Sequence[str]) -> None:
    if items:
        say(console, f"  {title}")
    for item in items:
        say(console, f"    {item}")
