"""Folders that stand for file systems of containers: paths mapped in, files copied between.

Regular files are hard-linked where that works (all are private to one build); links are kept when
they stay inside, or lead to this machine's Python or uv, on which images depend.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath


class TreeError(Exception):
    """A path or link is not acceptable; the text says why."""


def resolved(workdir: str, path: str) -> str:
    """A container's path as an absolute one without `..`."""
    return os.path.normpath("/" + str(PurePosixPath(workdir) / path).lstrip("/"))


def inside(root: Path, path: str) -> Path:
    """Where a container's absolute path is in a folder; no link on the way is followed."""
    found = root
    for part in PurePosixPath(resolved("/", path)).parts[1:]:
        if found.is_symlink():
            raise TreeError(f"{path} goes through a link")
        found = found / part
    return found


class Copier:
    """Copies trees; `machine` are the folders and files outside that links may lead to."""

    def __init__(self, machine: tuple[Path, ...], check: Callable[[], None]) -> None:
        self._machine = machine
        self._check = check

    def copy(
        self, source: Path, target: Path, root: Path, left_out: Callable[[Path], bool]
    ) -> None:
        """A file or link to `target`, or what a folder contains into it. `root` holds the source."""
        if source.is_symlink() or not source.is_dir():
            self._file(source, target, root)
            return
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder, names, files in os.walk(source):
            self._check()
            here = Path(folder)
            links = [name for name in names if (here / name).is_symlink()]
            names[:] = [n for n in names if n not in links and not left_out(here / n)]
            into = target / here.relative_to(source)
            into.mkdir(mode=0o755, exist_ok=True)
            for name in (*files, *links):
                if not left_out(here / name):
                    self._file(here / name, into / name, root)

    def _file(self, source: Path, target: Path, root: Path) -> None:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            raise TreeError(f"{target.name} is a folder there, and a file here")
        if source.is_symlink():
            target.symlink_to(self._link(source, root))
            return
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    def _link(self, source: Path, root: Path) -> str:
        value = source.readlink()
        if value.is_absolute():
            if any(value.is_relative_to(folder) for folder in self._machine):
                return str(value)
            if value.is_relative_to(root):
                return os.path.relpath(value, source.parent)
        elif Path(os.path.normpath(source.parent / value)).is_relative_to(root):
            return str(value)
        raise TreeError(f"the link {source.name} leads out of the image, to {value}")
