"""What became of the files that were sent: one row a file, and below it where its result is."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.deploy.follow import STAGES, Outcome
from gpupipe.deploy.uploads import Refused
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.test-upload/1"
GOES_ON = "The pipeline goes on with them; gpupipe status shows their executions."
_NAMED = 25
_STYLES = {"succeeded": "green", "failed": "bold red", "unsent": "bold red", "waiting": "yellow"}
_HEADS = {"preprocess": "pre", "inference": "infer", "postprocess": "post"}


def files_json(
    output_bucket: str, outcomes: Sequence[Outcome], left_out: Sequence[Refused]
) -> dict[str, Any]:
    """The documented shape."""
    return {
        "schema": SCHEMA,
        "output_bucket": output_bucket,
        "files": [file_json(one) for one in outcomes],
        "skipped": [{"file": str(one.path), "reason": one.why} for one in left_out],
    }


def file_json(one: Outcome) -> dict[str, Any]:
    """The documented shape of one outcome."""
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


def print_sending(console: Console, bucket: str, count: int, left_out: Sequence[Refused]) -> None:
    """What is about to be sent, and what is not: of many the first."""
    for refused in left_out[:_NAMED]:
        say(console, f"Left out {refused.path}: {refused.why}", "yellow")
    if len(left_out) > _NAMED:
        say(console, f"Left out {len(left_out) - _NAMED:,} more", "yellow")
    say(console, f"Sending {count:,} {'file' if count == 1 else 'files'} to gs://{bucket}")


def print_files(console: Console, output_bucket: str, outcomes: Sequence[Outcome]) -> None:
    """For people: the numbers, then the reason or the result of each, then the count."""
    if not outcomes:
        say(console, "There was nothing to send.")
        return
    stages = [stage for stage in STAGES if any(stage in one.seconds for one in outcomes)]
    head = ["", ">score", *(f">{_HEADS.get(stage, stage)}" for stage in stages), "file"]
    rows = [_row(one, stages) for one in outcomes]
    lines = columns(head, rows)
    say(console, lines[0])
    for line, one in zip(lines[1:], outcomes, strict=True):
        say(console, line)
        for more in _below(output_bucket, one):
            say(console, more)
    counts = Counter(one.state for one in outcomes)
    say(console, "")
    say(console, "; ".join(f"{count} {state}" for state, count in counts.items()) + ".")
    if counts["waiting"] or counts["sent"]:
        say(console, GOES_ON)


def _row(one: Outcome, stages: Sequence[str]) -> list[Cell]:
    return [
        Text(one.label or one.state, style=_STYLES.get(one.state, "")),
        "" if one.score is None else f"{one.score:.3f}",
        *(_seconds(one, stage) for stage in stages),
        one.sent.object.name,
    ]


def _below(output_bucket: str, one: Outcome) -> list[Text]:
    style = _STYLES.get(one.state, "")
    reason = f"{one.error_class}: {one.reason}" if one.error_class else one.reason
    found = [Text(f"  {line}", style=style) for line in reason.splitlines()]
    place = one.result_object or one.error_object
    return [*found, Text(f"  gs://{output_bucket}/{place}", style="dim")] if place else found


def _seconds(one: Outcome, stage: str) -> str:
    seconds = one.seconds.get(stage)
    return "" if seconds is None else f"{seconds:.2f} s"
