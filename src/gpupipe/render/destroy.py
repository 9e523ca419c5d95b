"""What a destroy will remove, and the proof that it did."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.deploy.destroy import Leftover, Removal
from gpupipe.deploy.executor import Outcome
from gpupipe.render.errors import error_json, lines
from gpupipe.render.plan import action_json

SCHEMA = "gpupipe.destroy/1"
TOMBSTONES = (
    "build records and log entries (they cost nothing and expire)",
    "names of deleted service accounts, which Google can restore for 30 days",
)
"""What Google keeps after a destroy: neither costs money nor grants access."""


def removal_json(removal: Removal) -> dict[str, Any]:
    """The documented shape of a dry run."""
    return {
        "schema": SCHEMA,
        "dry_run": True,
        "remove": [action_json(one) for one in removal.actions],
        "kept": [{"what": what, "why": why} for what, why in removal.kept],
    }


def destroyed_json(
    removal: Removal, outcome: Outcome, leftovers: Sequence[Leftover]
) -> dict[str, Any]:
    """The documented shape of a destroy's answer."""
    return {
        "schema": SCHEMA,
        "dry_run": False,
        "removed": [f"{one.kind} {one.name}" for one in outcome.done],
        "failed": [
            {"what": f"{one.kind} {one.name}", "error": error_json(error)}
            for one, error in outcome.errors
        ],
        "skipped": [{"what": f"{one.kind} {one.name}", "why": why} for one, why in outcome.skipped],
        "leftovers": [{"kind": one.kind, "name": one.name} for one in leftovers],
        "kept": [{"what": what, "why": why} for what, why in removal.kept],
        "tombstones": list(TOMBSTONES),
    }


def print_removal(console: Console, removal: Removal) -> None:
    """What will be removed, in order."""
    if not removal.actions:
        console.print("There is nothing of this pipeline to remove.")
        return
    console.print("This will be removed, in this order:")
    for one in removal.actions:
        console.print(f"  {one.kind} {one.name}", markup=False)
    for what, why in removal.kept:
        console.print(Text(f"  kept: {what} ({why})", style="dim"))


def print_destroyed(
    console: Console, removal: Removal, outcome: Outcome, leftovers: Sequence[Leftover]
) -> None:
    """The proof for people."""
    for _, error in outcome.errors:
        console.print("\n".join(lines(error)), markup=False)
    for one, why in outcome.skipped:
        console.print(f"Skipped {one.kind} {one.name}: {why}", markup=False)
    if leftovers:
        console.print(Text(f"\nStill there: {len(leftovers)}", style="bold red"))
        for left in leftovers:
            console.print(f"  {left.kind} {left.name}", markup=False)
        console.print("Run the same command again; --force goes on after a failure.")
        return
    console.print(
        Text(f"\nNothing is left: {len(outcome.done)} resources removed.", style="bold green")
    )
    console.print("  Looked for by name, by label, by account and by binding.")
    shared = [what for what, why in removal.kept if why == "shared, kept"]
    console.print(f"  Shared with the project, kept: {', '.join(shared)}.", markup=False)
    console.print(f"  Kept by Google: {'; '.join(TOMBSTONES)}.", markup=False)
