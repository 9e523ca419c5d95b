"""Paths of a container mapped into its image's folder, and the program found as a container would.

Absolute paths that exist in the folder are mapped; everything else stays as written. `python` that
the image does not bring is this machine's: images are built from "a python image".
"""

import os
import sys
from pathlib import Path

_SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


class ProgramNotFoundError(Exception):
    """The container's command names a file that is neither in the image nor on this machine."""


def mapped(root: Path, value: str) -> str:
    """An absolute path of the container as a path of this machine, when the image has it."""
    if not value.startswith("/") or value == "/":
        return value
    inside = root / os.path.normpath(value).lstrip("/")
    return str(inside) if os.path.lexists(inside) else value


def mapped_list(root: Path, value: str) -> str:
    """A value that may be a path or several joined by colons (PATH, PYTHONPATH)."""
    return ":".join(mapped(root, part) for part in value.split(":"))


def workdir(root: Path, value: str) -> Path:
    """The working directory inside the image's folder; the folder itself when it has none."""
    inside = root / os.path.normpath(value or "/").lstrip("/")
    return inside if inside.is_dir() else root


def search_path(root: Path, image_path: str) -> str:
    """PATH of an instance: the image's own folders, this Python's, then the system's."""
    own = [mapped(root, part) for part in image_path.split(":") if part]
    image = [part for part in own if Path(part).is_relative_to(root)]
    python = str(Path(os.path.realpath(sys.executable)).parent)
    return ":".join([*image, python, *_SYSTEM_PATH])


def resolve(root: Path, command: tuple[str, ...], path: str, folder: Path) -> list[str]:
    """The command with its paths mapped and its program found; raises ProgramNotFoundError."""
    if not command:
        raise ProgramNotFoundError(
            "the image has no CMD and no ENTRYPOINT, and the service no command"
        )
    program = _find(root, command[0], path, folder)
    return [*_interpreter(program), program, *(mapped(root, part) for part in command[1:])]


def _find(root: Path, name: str, path: str, folder: Path) -> str:
    if "/" in name:
        candidates = [mapped(root, name) if name.startswith("/") else str(folder / name)]
    else:
        candidates = [os.path.join(part, name) for part in path.split(":")]  # noqa: PTH118 - text
    for candidate in candidates:
        if Path(candidate).is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise ProgramNotFoundError(f"{name!r} is not an executable of the image")


def _interpreter(program: str) -> list[str]:
    """The Python beside a console script: the script's own first line names the build's folder."""
    with Path(program).open("rb") as file:
        first = file.readline(512)
    beside = Path(program).with_name("python")
    if first.startswith(b"#!") and b"python" in first and beside.exists():
        return [str(beside)]
    return []
