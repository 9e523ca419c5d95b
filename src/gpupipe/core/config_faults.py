"""Says what is wrong with a configuration: where it stands, the option, its value, what it takes."""

import tomllib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpupipe.core.option_table import options
from gpupipe.core.suggest import suggestion

_LONGEST, _MOST = 60, 50


def told(error: ValidationError, places: Mapping[str, str], text: str, path: Path) -> list[str]:
    """One line a fault. places: path of an option -> who set it; text: the file's."""
    faults = error.errors(include_url=False, include_context=False)
    lines = _Lines(text)
    first = [_fault(fault, places, lines, path) for fault in faults[:_MOST]]
    return first + ([f"and {len(faults) - _MOST} more"] if len(faults) > _MOST else [])


def _fault(fault: Any, places: Mapping[str, str], lines: "_Lines", path: Path) -> str:
    loc = [str(part) for part in fault["loc"] if part != "[key]"]
    name = ".".join(loc)
    option = next((one for one in (name, ".".join(loc[:-1])) if one in options()), None)
    where = _where(loc, option or name, places, lines, path)
    if fault["type"] == "extra_forbidden":
        return f"{where}: {name}: no such option{_near(loc)}"
    words = str(fault["msg"]).removeprefix("Value error, ")
    if option is None:
        # A whole table: what its values are to each other.
        return f"{where}: {name}: " + (
            words if fault["type"] == "value_error" else "this is a table"
        )
    why = f" ({words})" if fault["type"] == "value_error" else ""
    what = name if "[key]" in fault["loc"] else f"{name} = {_shown(fault['input'])}"
    return f"{where}: {what}: it takes {options()[option].allowed}{why}"


def _where(
    loc: list[str], name: str, places: Mapping[str, str], lines: "_Lines", path: Path
) -> str:
    """The file and line, the variable or the flag of an option; of a table, of what it holds."""
    inside = [one for one in places if one == name or one.startswith(f"{name}.")]
    files = [one for one in inside if places[one] == path.name]
    if files or not inside:
        line = lines.of(loc)
        return f"{path.name}:{line}" if line else path.name
    return ", ".join(dict.fromkeys(places[one] for one in inside))


class _Lines:
    """On which line of a file something stands."""

    def __init__(self, text: str) -> None:
        self._lines = text.replace("\r\n", "\n").split("\n")
        self._found: dict[tuple[str, ...], range | None] = {}

    def of(self, loc: list[str]) -> int | None:
        """The line on which a key or the item of a list appears, else that of what it is in."""
        if not loc:
            return None
        outer = self._value(tuple(loc[:-1])) if loc[-1].isdecimal() else None
        if outer and self._holds(outer[-1], loc):
            # An item: the first line with which, the list ended there, it is in.
            return outer[bisect_left(outer, x=True, key=lambda end: self._holds(end, loc))]
        found = self._value(tuple(loc))
        return found[0] if found else self.of(loc[:-1])

    def _value(self, loc: tuple[str, ...]) -> range | None:
        """The lines of a key and its value."""
        if loc not in self._found:
            self._found[loc] = self._search(loc) if loc else None
        return self._found[loc]

    def _search(self, loc: tuple[str, ...]) -> range | None:
        # Only where the key's name stands: trying every line of a long file would take minutes.
        for start in (number for number, line in enumerate(self._lines, 1) if loc[-1] in line):
            ends = range(start, len(self._lines) + 1)
            end = next((one for one in ends if self._read(one) is not None), None)
            if end is not None and _has(self._read(end), loc):
                return range(start, end + 1)
        return None

    def _holds(self, end: int, loc: list[str]) -> bool:
        return _has(self._read(end), loc) or _has(self._read(end, "\n]"), loc)

    def _read(self, end: int, more: str = "") -> Any:
        """The content of the file's beginning; None where it cannot be read."""
        try:
            return tomllib.loads("\n".join(self._lines[:end]) + more)
        except (ValueError, RecursionError):
            return None


def _has(content: Any, loc: Sequence[str]) -> bool:
    for part in loc:
        if isinstance(content, dict) and part in content:
            content = content[part]
        elif isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            return False
    return True


def _near(loc: list[str]) -> str:
    """The key that was probably meant: of those that may stand there, else of all."""
    table = "".join(f"{part}." for part in loc[:-1])
    beside = {
        path.removeprefix(table).partition(".")[0] for path in options() if path.startswith(table)
    }
    return suggestion(loc[-1], beside)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = ascii(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
