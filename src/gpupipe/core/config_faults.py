"""Says what is wrong with a configuration: where it stands, the option, its value, what it takes."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpupipe.core.option_table import options
from gpupipe.core.suggest import suggestion

_LONGEST = 60


def told(error: ValidationError, places: Mapping[str, str], text: str, path: Path) -> list[str]:
    """One line a fault. places: path of an option -> who set it; text: the file's."""
    return [
        _fault(fault, places, text, path)
        for fault in error.errors(include_url=False, include_context=False)
    ]


def _fault(fault: Any, places: Mapping[str, str], text: str, path: Path) -> str:
    loc = [str(part) for part in fault["loc"] if part != "[key]"]
    name = ".".join(loc)
    option = next((one for one in (name, ".".join(loc[:-1])) if one in options()), None)
    where = _where(loc, option or name, places, text, path)
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


def _where(loc: list[str], name: str, places: Mapping[str, str], text: str, path: Path) -> str:
    """The file and line, the variable or the flag of an option; of a table, of what it holds."""
    inside = [one for one in places if one == name or one.startswith(f"{name}.")]
    files = [one for one in inside if places[one] == path.name]
    if files or not inside:
        line = _line(loc, text)
        return f"{path.name}:{line}" if line else path.name
    return ", ".join(dict.fromkeys(places[one] for one in inside))


def _line(loc: list[str], text: str) -> int | None:
    """The line on which a key appears: where the beginning of the file that ends its value has it."""
    lines = text.splitlines()
    # Only where the key's name stands: trying every line of a long file would take minutes.
    for start in (number for number, line in enumerate(lines, 1) if loc[-1] in line):
        beginning = _first_whole(lines, start)
        if beginning is not None and _has(beginning, loc):
            return start
    return None


def _first_whole(lines: list[str], start: int) -> Any:
    """The content of the shortest beginning of the file with this line that can be read."""
    for count in range(start, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[:count]))
        except (ValueError, RecursionError):
            continue
    return None


def _has(content: Any, loc: list[str]) -> bool:
    for part in loc:
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
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
