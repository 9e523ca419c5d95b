"""A plan as a table for people and as JSON for programs: what would be done, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from gpupipe.deploy.action import Action, Verb
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.plan/1"
_CANARY = (
    "At the end a canary file proves that a file comes out: one execution, one request of each "
    "service; --no-canary leaves it out."
)
_INDENT = " " * 8
_STYLES = {
    Verb.CREATE: "green",
    Verb.UPDATE: "yellow",
    Verb.REPLACE: "red",
    Verb.DELETE: "red",
    Verb.KEEP: "dim",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it is told: its actions, what a person should know, whether a canary ends it."""

    actions: Sequence[Action]
    notes: Sequence[str] = ()
    canary: bool = False

    @property
    def writes(self) -> list[Action]:
        """The actions that change something."""
        return [action for action in self.actions if action.writes]


def plan_json(shown: Shown) -> dict[str, object]:
    """The documented shape of a plan."""
    return {
        "schema": SCHEMA,
        "writes": bool(shown.writes),
        "canary": shown.canary,
        "notes": list(shown.notes),
        "actions": [action_json(action) for action in shown.actions],
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
            {"field": change.field, "old": change.old, "new": change.new, "note": change.note}
            for change in action.changes
        ],
        "drift": action.drift,
    }


def print_plan(console: Console, shown: Shown) -> None:
    """Show what would be done; what stays is counted, not listed."""
    writes = shown.writes
    if writes:
        _print_writes(console, writes)
    say(console, _sentence(writes, len(shown.actions) - len(writes)))
    if shown.canary:
        say(console, _CANARY, "dim")
    for note in shown.notes:
        console.print(Text(f"Note: {note}", style="yellow"))


def _sentence(writes: Sequence[Action], kept: int) -> str:
    if not writes:
        return f"Nothing to do: all {kept} resources are as they should be."
    counts = [
        f"{sum(1 for action in writes if action.verb is verb)} to {verb}"
        for verb in Verb
        if any(action.verb is verb for action in writes)
    ]
    return f"{', '.join(counts)}; {kept} {'stays as it is' if kept == 1 else 'stay as they are'}."


def _print_writes(console: Console, writes: Sequence[Action]) -> None:
    """A line an action; a reason too long for the window comes below, broken between words."""
    head, *lines = columns(("", "resource", "why"), [_row(action) for action in writes])
    say(console, head)
    for line, action in zip(lines, writes, strict=True):
        if console.soft_wrap or line.cell_len <= console.width:
            say(console, line)
        else:
            say(console, columns(("", ""), [_row(action)[:2]])[1])
            _print_below(console, action.reason)
        for change in action.changes:
            _print_below(console, str(change))
        if action.drift:
            _print_below(console, action.drift)


def _print_below(console: Console, words: str) -> None:
    text = Text(words, style="dim")
    if console.soft_wrap:
        say(console, Text(_INDENT).append_text(text))
    else:
        console.print(Padding(text, (0, 0, 0, len(_INDENT))))


def _row(action: Action) -> list[Cell]:
    return [
        Text(action.verb, style=_STYLES[action.verb]),
        f"{action.kind} {action.name}",
        Text(action.reason, style="dim"),
    ]
