"""Releases of the services, and a rollback from one to another."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from gpupipe.deploy.rollback import Release, Rollback, RolledBack
from gpupipe.render.columns import columns
from gpupipe.render.console import say
from gpupipe.render.plan import action_json
from gpupipe.render.summary import outcome_json, print_failure, print_proof, proof_json

SCHEMA = "gpupipe.rollback/1"


def rollback_json(planned: Rollback) -> dict[str, Any]:
    """The documented shape of a dry run."""
    return {
        "schema": SCHEMA,
        "dry_run": True,
        "to": planned.to,
        "actions": [action_json(one.action) for one in planned.turns],
        "releases": _releases_json(planned.known),
    }


def rolled_back_json(done: RolledBack) -> dict[str, Any]:
    """The documented shape of the answer."""
    return {
        "schema": SCHEMA,
        "dry_run": False,
        "to": done.rollback.to,
        **outcome_json(done.outcome),
        "canary": None if done.proof is None else proof_json(done.proof),
    }


def _releases_json(known: Sequence[Release]) -> list[dict[str, Any]]:
    return [
        {
            "release": one.name,
            "made": one.made,
            "services": list(one.services),
            "serving": list(one.serving),
        }
        for one in known
    ]


def print_rollback(console: Console, planned: Rollback) -> None:
    """The releases, newest first, and which traffic would be turned."""
    rows = [
        (one.name, ", ".join(one.services), ", ".join(one.serving) or "-") for one in planned.known
    ]
    for line in columns(("release", "rolled out", "has the traffic of"), rows):
        say(console, line)
    say(console, "")
    if not planned.turns:
        say(console, f"Nothing to do: the release {planned.to} has the traffic.")
        return
    say(console, f"To the release {planned.to}:")
    for one in planned.turns:
        say(console, f"  {one.action.name}")
        for change in one.action.changes:
            say(console, f"    {change}", "dim")


def print_rolled_back(console: Console, done: RolledBack) -> None:
    """The summary for people."""
    if done.outcome.failed:
        print_failure(console, done.outcome)
        return
    if not done.rollback.turns:
        return
    say(console, "")
    say(console, f"The services are back at the release {done.rollback.to}.", "bold green")
    if done.proof is not None:
        print_proof(console, done.proof)
    say(console, "The next deploy leaves it so until something else is wanted.")
