"""A line of a source with a marker below a place in it."""

from collections.abc import Sequence

_WIDTH = 100
_CUT = "…"


def marked(lines: Sequence[str], line: int, column: int) -> list[str]:
    """The line and its marker, both from 1; of a long line only what is around the place."""
    text = lines[line - 1] if line <= len(lines) else ""
    at = min(column - 1, len(text))
    start = max(0, at - _WIDTH // 2) if len(text) > _WIDTH else 0
    before = _CUT if start else ""
    # Only what is shown is looked at: the line may be the whole source, and have many faults.
    shown = "".join(one if one.isprintable() else " " for one in text[start : start + _WIDTH])
    after = _CUT if start + _WIDTH < len(text) else ""
    return [f"{before}{shown}{after}".rstrip(), " " * (len(before) + at - start) + "^"]
