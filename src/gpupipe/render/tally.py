"""The numbers of many files: how many of each outcome, where the time went, why some failed."""

from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.deploy.tally import Reason, Tally
from gpupipe.render.columns import columns
from gpupipe.render.console import say
from gpupipe.render.files import GOES_ON

_LABELS = 10


def tally_json(tally: Tally, seconds: float) -> dict[str, Any]:
    """The documented shape. seconds: how long it took."""
    return {
        "files": tally.files,
        "seconds": round(seconds, 3),
        "files_per_second": round(tally.files / seconds, 3) if seconds else None,
        "states": dict(tally.states),
        "labels": dict(tally.labels),
        "stages": {
            stage: {"median": round(median, 3), "p95": round(p95, 3)}
            for stage, (median, p95) in tally.seconds().items()
        },
        "reasons": [
            {"class": one.error_class, "reason": one.text, "count": one.count,
             "examples": one.examples}
            for one in tally.reasons
        ],
    }  # fmt: skip


def print_tally(console: Console, output_bucket: str, tally: Tally, seconds: float) -> None:
    """For people."""
    rate = f", {tally.files / seconds:.1f} a second" if seconds else ""
    say(console, f"{tally.files:,} files in {seconds:.1f} s{rate}")
    for state, count in tally.states.most_common():
        say(console, f"{count:>9,} {state}")
    if tally.labels:
        say(console, "")
        shown = tally.labels.most_common(_LABELS)
        more = len(tally.labels) - len(shown)
        labels = ", ".join(f"{label} {count:,}" for label, count in shown)
        say(console, f"labels: {labels}" + (f" and {more:,} more" if more else ""))
    stages = tally.seconds()
    if stages:
        say(console, "")
        rows = [
            (stage, f"{median:.2f} s", f"{p95:.2f} s") for stage, (median, p95) in stages.items()
        ]
        for line in columns(("where the time went", ">median", ">95 %"), rows):
            say(console, line)
    for reason in tally.reasons:
        _print_reason(console, reason)
    say(console, "")
    say(
        console,
        f"Results are in gs://{output_bucket}/results/, errors in gs://{output_bucket}/errors/",
    )
    if any(tally.states[state] for state in ("waiting", "sent", "started")):
        say(console, GOES_ON)


def _print_reason(console: Console, reason: Reason) -> None:
    words = f"{reason.error_class}: {reason.text}" if reason.error_class else reason.text
    say(console, "")
    say(console, Text(f"{reason.count:,} times {words}", style="bold red"))
    more = ", …" if reason.count > len(reason.examples) else ""
    say(console, Text(f"  {', '.join(reason.examples)}{more}", style="dim"))
