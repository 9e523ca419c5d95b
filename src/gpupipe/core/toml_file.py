"""Sets options in gpupipe.toml and leaves the rest as it is: comments, order, line ends."""

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from gpupipe.core.errors import UsageError


def with_values(text: str, values: Mapping[str, object]) -> str:
    """The text with these options (path -> value, None takes it out) set.

    Raises UsageError, with the line to write by hand, where the text is no TOML or its form cannot
    be edited without harm.
    """
    for path, value in values.items():
        try:
            text = _with_value(text, path, value)
        except (ValueError, TypeError, TOMLKitError) as error:
            todo = f"Take {path} out" if value is None else f"Set {path} = {toml(value)}"
            raise UsageError(
                f"gpupipe cannot set {path} in the configuration file.",
                details=str(error),
                resolution=f"{todo} in the file by hand.",
            ) from error
    return text


def toml(value: object) -> str:
    """A value as TOML writes it."""
    return tomlkit.item(value).as_string()


def set_values(path: Path, values: Mapping[str, object]) -> None:
    """Set options (None takes one out) of the file, which is made when it is missing.

    Raises UsageError where the file cannot be read, edited or written.
    """
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        after = with_values(before, values)
        if after != before:
            write(path, after)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "The configuration file cannot be changed.",
            resource=str(path),
            details=getattr(error, "strerror", None) or str(error),
            resolution=f"Set {', '.join(values)} in a file that you may write to.",
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


def _with_value(text: str, path: str, value: object) -> str:
    wanted = tomllib.loads(text)
    if _get(wanted, path) == value:
        return text
    document = tomlkit.parse(text)
    end = "\r\n" if "\r\n" in text else "\n"
    _put(document, path, value)
    _put(wanted, path, value)
    after = tomlkit.dumps(document)
    if end != "\n":
        after = after.replace("\r\n", "\n").replace("\n", end)
    # Whatever the lines looked like, this is what decides.
    if tomllib.loads(after) != wanted:
        raise ValueError("The file writes it in a form that cannot be changed without harm.")
    return after


def _put(content: Any, path: str, value: object) -> None:
    *tables, key = path.split(".")
    for name in tables:
        content = content.setdefault(name, {})
    if value is None:
        content.pop(key, None)
    else:
        content[key] = value


def _get(content: object, path: str) -> object:
    for part in path.split("."):
        if not isinstance(content, dict) or part not in content:
            return None
        content = content[part]
    return content
