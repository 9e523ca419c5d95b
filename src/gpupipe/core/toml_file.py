"""Sets one key of a TOML file and leaves every other byte as it is: comments, order, line ends."""

import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from gpupipe.core.errors import UsageError

_VALUE = r"\"[^\"\\]*\"|'[^']*'"


def with_key(text: str, key: str, value: str | None) -> str:
    """The text with a top-level key set, or without it where `value` is None.

    Only texts are read and written. Raises ValueError where it is not plain how.
    """
    before = tomllib.loads(text)
    wanted = {name: one for name, one in before.items() if name != key}
    if value is not None:
        wanted[key] = value
    for candidate in _candidates(text, key, value, present=key in before):
        try:
            found = tomllib.loads(candidate)
        except tomllib.TOMLDecodeError:
            continue
        # Whatever the line looked like, this is what decides.
        if found == wanted:
            return candidate
    raise ValueError(f"the line of the key {key} is written in a form that is not known here")


def _candidates(text: str, key: str, value: str | None, *, present: bool) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    end = "\r\n" if "\r\n" in text else "\n"
    if value is None and not present:
        yield text
    if present:
        line = re.compile(rf"(\s*{re.escape(key)}\s*=\s*)(?:{_VALUE})(\s*(?:#.*)?\s*)")
        for number, found in enumerate(lines):
            if match := line.fullmatch(found):
                changed = [] if value is None else [match[1] + _quoted(value) + match[2]]
                yield "".join([*lines[:number], *changed, *lines[number + 1 :]])
        return
    if value is None:
        return
    new = f"{key} = {_quoted(value)}{end}"
    tables = next((at for at, one in enumerate(lines) if one.lstrip().startswith("[")), len(lines))
    assignments = [at for at in range(tables) if re.match(r"\s*[\w\"'.-]+\s*=", lines[at])]
    if assignments:
        at = assignments[-1] + 1
        last = lines[at - 1] if lines[at - 1].endswith("\n") else lines[at - 1] + end
        yield "".join([*lines[: at - 1], last, new, *lines[at:]])
    yield new + (end if text else "") + text


def _quoted(value: str) -> str:
    # For what we write (names, versions) a JSON text is a TOML text.
    return json.dumps(value)


def set_key(path: Path, key: str, value: str | None) -> None:
    """Set a top-level key of the file, which is made when it is missing, or take it out (None).

    Raises UsageError where the file cannot be read, written or edited.
    """
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        after = with_key(before, key, value)
        if after != before:
            write(path, after)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        line = "Take the key out" if value is None else f"Write the line {key} = {_quoted(value)}"
        raise UsageError(
            f"The configuration file {path} cannot be changed.",
            details=why,
            resolution=f"{line} by hand, then run gpupipe deploy.",
        ) from error


def write(path: Path, text: str) -> None:
    """Replace a file's text at once, with its mode; a link keeps pointing to it."""
    place = path.resolve()
    part = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        part.write_bytes(text.encode())
        if place.exists():
            shutil.copymode(place, part)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
