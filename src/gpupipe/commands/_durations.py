"""Durations as people write them: "90s", "1h30m", "250ms", or a number of seconds."""

import re

from gpupipe.core.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def seconds(words: str) -> float:
    """The duration in seconds; UsageError."""
    if _NUMBER.fullmatch(words):
        return float(words)
    if not _WHOLE.fullmatch(words):
        raise UsageError(
            f"{words!r} is no duration.",
            resolution='Write a number and its unit, for example "90s", "1h30m" or "250ms".',
            doc="reference/cli.md",
        )
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(words))


def spoken(duration_s: float) -> str:
    """A number of seconds, as `seconds` reads it again."""
    return f"{duration_s:.12g}s"
