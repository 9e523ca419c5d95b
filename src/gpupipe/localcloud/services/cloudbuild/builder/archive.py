"""Unpacks a source archive (.tar.gz), trusting nothing in it.

Regular files and folders only; no absolute name, no `..`, no name twice; caps on entries, on bytes
and on the ratio to the archive's size. Of the mode only "the owner may execute it" is kept.
"""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

_BLOCK = 1 << 20
_FREE = 16 << 20  # what any archive may unpack to, however small it is


class ArchiveError(Exception):
    """The archive is not one that is unpacked; the text says why."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one archive: entries, bytes unpacked, and bytes unpacked per byte packed."""

    entries: int = 20_000
    size: int = 2 << 30
    ratio: int = 200


def unpack(
    archive: Path, folder: Path, *, caps: Caps | None = None, check: Callable[[], None]
) -> int:
    """Fill an empty folder; the number of files. ArchiveError; `check` may raise between files."""
    caps = caps or Caps()
    limit = min(caps.size, max(_FREE, archive.stat().st_size * caps.ratio))
    files = entries = 0
    try:
        with gzip.open(archive) as plain, tarfile.open(
            mode="r|", fileobj=cast("IO[bytes]", _Limited(plain, limit))
        ) as tar:  # fmt: skip
            for member in tar:
                check()
                entries += 1
                if entries > caps.entries:
                    raise ArchiveError(f"the archive has more than {caps.entries} entries")
                files += _place(tar, member, folder)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ArchiveError(f"the archive cannot be read: {error}") from error
    return files


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> int:
    target = folder / _inside(member.name)
    if member.isdir():
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        return 0
    if not member.isreg():
        raise ArchiveError(f"{member.name!r} is neither a regular file nor a folder")
    source = tar.extractfile(member)
    if source is None:
        raise ArchiveError(f"{member.name!r} has no contents")
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    mode = 0o755 if member.mode & 0o100 else 0o644
    try:
        descriptor = os.open(target, flags, mode)
    except FileExistsError as error:
        raise ArchiveError(f"{member.name!r} is in the archive twice") from error
    with os.fdopen(descriptor, "wb") as file:
        while block := source.read(_BLOCK):
            file.write(block)
    return 1


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveError(f"{name!r} is not a name inside the archive")
    return path


class _Limited:
    """A stream that ends in an error when it gives more than it may, headers included."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left + 1:
            size = self._left + 1
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError("the archive unpacks to more than is allowed")
        return data
