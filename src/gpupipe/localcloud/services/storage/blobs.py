"""Object data as immutable files: written aside, synced, renamed, and only then known.

A blob has a random name and never changes; rows of the object table refer to it, copies share it.
A file that no row refers to is an orphan of a crash and is removed at start.
"""

import errno
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from gpupipe.localcloud.services.storage.checksums import Digest, Hasher
from gpupipe.localcloud.services.storage.refusals import no_space

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Disk(Protocol):
    """The writes that can fail for want of space; a fault stands in for a full disk."""

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Append all of `data`; OSError when that is impossible."""

    def sync(self, file: BinaryIO) -> None:
        """Make what was written durable; OSError when that is impossible."""


class RealDisk:
    """The disk as it is, unless `fault` says that it is full."""

    def __init__(self, fault: Callable[[], bool] = lambda: False) -> None:
        self._fault = fault

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Append, or fail as a full disk does."""
        if self._fault():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]

    def sync(self, file: BinaryIO) -> None:
        """Wait until the file is on the disk."""
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file and its checksums."""

    name: str
    digest: Digest


class Blobs:
    """The folder of object data: `blobs/XX/UUID`, `parts/` for what is still being written."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._blobs = folder / "blobs"
        self._parts = folder / "parts"
        self._disk = disk
        self._make_folders()

    def store(self, chunks: Iterable[bytes], *, composite: bool = False) -> Blob:
        """Write a stream to a new blob; on any failure nothing is left."""
        self._make_folders()
        part = self._parts / uuid.uuid4().hex
        hasher = Hasher()
        try:
            with full_disk_refused(), part.open("xb", buffering=0) as file:
                for chunk in chunks:
                    self._disk.write(file, chunk)
                    hasher.update(chunk)
                self._disk.sync(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return self._adopt(part, hasher.digest(composite=composite))

    def append(self, part: str, offset: int, chunks: Iterable[bytes], hasher: Hasher) -> None:
        """Continue a part at `offset`; what arrived stays, unless the disk is full.

        The hasher is fed alike. On a full disk the part is cut back to what the hasher has seen.
        """
        self._make_folders()
        path = self.part_path(part)
        with path.open("r+b" if path.exists() else "xb", buffering=0) as file:
            file.truncate(offset)
            file.seek(offset)
            try:
                with full_disk_refused():
                    for chunk in chunks:
                        self._disk.write(file, chunk)
                        hasher.update(chunk)
            finally:
                file.truncate(hasher.size)

    def finish(self, part: str, digest: Digest) -> Blob:
        """Give a complete part a blob's name too; `discard` the part once that is committed."""
        path = self.part_path(part)
        path.touch()
        with full_disk_refused(), path.open("r+b") as file:
            self._disk.sync(file)
        return self._adopt(path, digest, keep=True)

    def discard(self, part: str) -> None:
        """Remove a part."""
        self.part_path(part).unlink(missing_ok=True)

    def part_path(self, part: str) -> Path:
        """The file of a part."""
        return self._parts / part

    def open(self, name: str) -> BinaryIO:
        """A blob for reading; it stays readable when it is removed meanwhile."""
        return self._path(name).open("rb")

    def remove(self, name: str) -> None:
        """Remove a blob that no row refers to."""
        self._path(name).unlink(missing_ok=True)

    def sweep(self, blobs: set[str], parts: set[str]) -> int:
        """Remove files outside the two sets; the number of files removed."""
        self._make_folders()
        orphans = [path for path in self._blobs.glob("*/*") if path.name not in blobs]
        orphans += [path for path in self._parts.iterdir() if path.name not in parts]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)

    def _make_folders(self) -> None:
        # also at work, because a reset of the local cloud empties the folder
        for path in (self._blobs, self._parts):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _adopt(self, part: Path, digest: Digest, *, keep: bool = False) -> Blob:
        name = uuid.uuid4().hex
        target = self._path(name)
        fresh = not target.parent.exists()
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if keep:
            target.hardlink_to(part)
        else:
            part.rename(target)
        _sync_folder(target.parent)
        if fresh:
            _sync_folder(self._blobs)
        return Blob(name, digest)

    def _path(self, name: str) -> Path:
        return self._blobs / name[:2] / name


def read_chunks(file: BinaryIO, size: int = 1 << 20) -> Iterator[bytes]:
    """A file's bytes in pieces, from where it stands."""
    while chunk := file.read(size):
        yield chunk


@contextmanager
def full_disk_refused() -> Iterator[None]:
    """Turn a full disk into the refusal that names it; other errors stay what they are."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_space() from error
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
