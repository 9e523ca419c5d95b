"""Results and error records, a row each."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.deploy.results import Result
from gpupipe.render.columns import columns
from gpupipe.render.console import say


def results_json(bucket: str, found: Sequence[Result], *, more: bool) -> dict[str, Any]:
    """The documented shape."""
    return {
        "schema": "gpupipe.results/1",
        "output_bucket": bucket,
        "results": [
            {
                "input": one.input,
                "generation": str(one.generation),
                "state": _state(one),
                "object": one.object.name,
                "bytes": one.object.size,
                "created": one.created.isoformat() if one.created else "",
            }
            for one in found
        ],
        "more": more,
    }


def print_results(console: Console, found: Sequence[Result], *, more: bool) -> None:
    """For people."""
    if not found:
        say(console, "There is none.")
        return
    rows = [
        (
            Text(_state(one), style="bold red" if one.failed else "green"),
            f"{one.created:%Y-%m-%d %H:%M:%S} UTC" if one.created else "",
            str(one.generation),
            one.input,
        )
        for one in found
    ]
    for line in columns(("", "written", ">generation", "input"), rows):
        say(console, line)
    if more:
        say(console, "There are more; --limit shows them.")


def _state(one: Result) -> str:
    return "failed" if one.failed else "succeeded"
