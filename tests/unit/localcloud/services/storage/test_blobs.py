"""Object files: whole or not at all, and nothing left behind when the disk is full."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from gpupipe.localcloud.services.storage.blobs import Blobs, RealDisk
from gpupipe.localcloud.services.storage.checksums import Hasher
from gpupipe.localcloud.services.storage.refusals import StorageError


class SmallDisk:
    """Has room for so many bytes; writes what fits, as a disk does."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: BinaryIO, data: bytes) -> None:
        file.write(data[: self.room])
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def sync(self, file: BinaryIO) -> None:
        del file


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_blob_is_read_back_with_its_checksums(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, RealDisk())
    blob = blobs.store([b"hel", b"lo"])
    with blobs.open(blob.name) as file:
        assert file.read() == b"hello"
    # `printf hello | md5sum`, and the CRC32C that the official client computes
    assert (blob.digest.size, blob.digest.md5) == (5, "XUFAKrxLKna5cZ2REBfFkg==")
    assert blob.digest.crc32c == "mnG7TA=="


def test_a_full_disk_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, SmallDisk(7))
    with pytest.raises(StorageError, match="No space is left") as refusal:
        blobs.store([b"12345", b"67890"])
    assert refusal.value.status == 507
    assert files(tmp_path) == []


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"123"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Blobs(tmp_path, RealDisk()).store(broken())
    assert files(tmp_path) == []


def test_a_part_on_a_full_disk_keeps_what_its_checksum_has_seen(tmp_path: Path) -> None:
    blobs, hasher = Blobs(tmp_path, SmallDisk(7)), Hasher()
    with pytest.raises(StorageError, match="No space is left"):
        blobs.append("part", 0, [b"12345", b"67890"], hasher)
    assert blobs.part_path("part").read_bytes() == b"12345"
    assert hasher.size == 5


def test_parts_become_a_blob(tmp_path: Path) -> None:
    blobs, hasher = Blobs(tmp_path, RealDisk()), Hasher()
    blobs.append("part", 0, [b"abc"], hasher)
    blobs.append("part", 3, [b"def"], hasher)
    blob = blobs.finish("part", hasher.digest())
    blobs.discard("part")
    with blobs.open(blob.name) as file:
        assert file.read() == b"abcdef"
    assert len(files(tmp_path)) == 1


def test_orphans_are_swept_and_the_rest_stays(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, RealDisk())
    kept, lost = blobs.store([b"1"]), blobs.store([b"2"])
    blobs.append("open", 0, [b"3"], Hasher())
    blobs.append("dead", 0, [b"4"], Hasher())
    assert blobs.sweep({kept.name}, {"open"}) == 2
    names = {path.name for path in files(tmp_path)}
    assert names == {kept.name, "open"}
    assert lost.name not in names
