"""A plan as a table for people and as JSON for programs: what would be done, and why."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gpupipe.deploy.action import Action, Verb

SCHEMA = "gpupipe.plan/1"
_STYLES = {
    Verb.CREATE: "green",
    Verb.UPDATE: "yellow",
    Verb.REPLACE: "red",
    Verb.DELETE: "red",
    Verb.KEEP: "dim",
}


def plan_json(actions: Sequence[Action], notes: Sequence[str] = ()) -> dict[str, object]:
    """The documented shape of a plan."""
    return {
        "schema": SCHEMA,
        "writes": any(action.writes for action in actions),
        "notes": list(notes),
        "actions": [action_json(action) for action in actions],
    }


def action_json(action: Action) -> dict[str, object]:
    """One action of a plan."""
    return {
        "step": action.step,
        "phase": action.phase.name.lower(),
        "kind": action.kind,
        "name": action.name,
        "verb": action.verb.value,
        "reason": action.reason,
        "changes": [
            {"field": change.field, "old": change.old, "new": change.new}
            for change in action.changes
        ],
    }


def print_plan(console: Console, actions: Sequence[Action], notes: Sequence[str] = ()) -> None:
    """Show what would be done; what stays is counted, not listed."""
    writes = [action for action in actions if action.writes]
    if writes:
        console.print(_table(writes))
    kept = len(actions) - len(writes)
    console.print(_sentence(writes, kept))
    for note in notes:
        console.print(Text(f"Note: {note}", style="yellow"))


def _sentence(writes: Sequence[Action], kept: int) -> str:
    if not writes:
        return f"Nothing to do: all {kept} resources are as they should be."
    counts = [
        f"{sum(1 for action in writes if action.verb is verb)} to {verb}"
        for verb in Verb
        if any(action.verb is verb for action in writes)
    ]
    return f"{', '.join(counts)}; {kept} stay as they are."


def _table(actions: Sequence[Action]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "resource", "why"):
        table.add_column(column, overflow="fold")
    for action in actions:
        table.add_row(
            Text(action.verb, style=_STYLES[action.verb]),
            f"{action.kind} {action.name}",
            Group(action.reason, *(_change(action, index) for index in range(len(action.changes)))),
        )
    return table


def _change(action: Action, index: int) -> Text:
    change = action.changes[index]
    return Text(f"  {change.field}: {change.old} -> {change.new}", style="dim")
