"""The configuration as a table for people and as JSON for programs."""

from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.core.config import DEFAULT, Config
from gpupipe.core.option_table import options
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.config/1"


def config_json(config: Config) -> dict[str, Any]:
    """The documented shape: each option with its value, source, default and what it takes."""
    return {
        "schema": SCHEMA,
        "notices": list(config.notices),
        "options": [
            {
                "option": path,
                "value": config.value(path),
                "source": config.source(path),
                "default": option.default,
                "allowed": option.allowed,
                "description": option.description,
            }
            for path, option in options().items()
        ],
    }


def print_config(console: Console, config: Config) -> None:
    """A line an option; what somebody set stands out."""
    rows: list[list[Cell]] = []
    for path in options():
        source = config.source(path)
        style = "dim" if source == DEFAULT else ""
        rows.append([path, Text(_text(config.value(path)), style=style), Text(source, style=style)])
    for line in columns(("option", "value", "from"), rows):
        say(console, line)
    for note in config.notices:
        say(console, f"Note: {note}", "yellow")


def _text(value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key}={value[key]}" for key in sorted(value)) or "(none)"
    return str(value)
