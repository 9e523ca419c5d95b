"""Findings of the preflight, for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.deploy.preflight.finding import Finding, Level
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.doctor/1"
_STYLES = {
    Level.OK: "green",
    Level.UNKNOWN: "dim",
    Level.WARNING: "yellow",
    Level.BLOCKER: "bold red",
}


def findings_json(findings: Sequence[Finding], requests: Sequence[str]) -> dict[str, Any]:
    """The documented shape; `requests` tells what became of requests for quota."""
    return {
        "schema": SCHEMA,
        "ready": all(one.level is not Level.BLOCKER for one in findings),
        "findings": [
            {
                "check": one.check,
                "level": one.level.value,
                "what": one.what,
                "why": one.why,
                "fix": one.fix,
            }
            for one in findings
        ],
        "quota_requests": list(requests),
    }


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """A line a finding; why and what to do below it."""
    rows: list[list[Cell]] = [
        [Text(one.level, style=_STYLES[one.level]), one.check, one.what] for one in findings
    ]
    for line, one in zip(columns(("", "", ""), rows)[1:], findings, strict=True):
        say(console, line)
        for word, text in (("why", one.why), ("fix", one.fix)):
            for part in text.splitlines() if one.level is not Level.OK else ():
                say(console, f"    {word}: {part}", "dim" if word == "why" else "")
