"""Sets single values in the text of gpupipe.toml and leaves everything else, comments too, as it is."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from gpupipe.core.errors import UsageError

_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]\s*(#.*)?")


def with_values(text: str, values: Mapping[str, object]) -> str:
    """The text with these options (by path) set. UsageError where its form cannot be edited."""
    for path, value in values.items():
        before = tomllib.loads(text)
        if _get(before, path) == value:
            continue
        text = _with_value(text, path, value)
        try:
            # Whatever the lines looked like, this is what decides.
            done = tomllib.loads(text) == _put(before, path, value)
        except tomllib.TOMLDecodeError:
            done = False
        if not done:
            raise UsageError(
                f"gpupipe cannot set {path} in the configuration file.",
                details="The file writes it in a form that cannot be changed without harm.",
                resolution=f"Set {path} = {toml(value)} in the file by hand.",
            )
    return text


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return json.dumps(value, ensure_ascii=False)


def _with_value(text: str, path: str, value: object) -> str:
    table, _, key = path.rpartition(".")
    lines = text.splitlines()
    begin, end = _bounds(lines, table)
    line = f"{key} = {toml(value)}"
    if begin is None:
        return "\n".join([*lines, *([""] if lines else []), f"[{table}]", line, ""])
    for index in range(begin, end):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[index]):
            lines[index] = line
            return "\n".join([*lines, ""])
    while end > begin and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, line)
    return "\n".join([*lines, ""])


def _bounds(lines: list[str], table: str) -> tuple[int | None, int]:
    """First line and end of a table's own keys; (None, …) where the table is not there."""
    begin: int | None = 0 if not table else None
    for index, line in enumerate(lines):
        match = _TABLE.fullmatch(line)
        if match is None:
            continue
        if begin is not None:
            return begin, index
        if match[1] == table:
            begin = index + 1
    return begin, len(lines)


def _put(content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    if not rest:
        return {**content, first: value}
    inner = content.get(first)
    return {**content, first: _put(inner if isinstance(inner, dict) else {}, rest, value)}


def _get(content: object, path: str) -> object:
    for part in path.split("."):
        if not isinstance(content, dict) or part not in content:
            return None
        content = content[part]
    return content
