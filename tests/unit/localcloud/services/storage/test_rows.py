"""The table of versions: what is committed is there after a crash, generations only grow."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gpupipe.localcloud.services.storage.blobs import Blobs, RealDisk
from gpupipe.localcloud.services.storage.rows import Rows, State, Version
from gpupipe.localcloud.store.database import Database

NOW = datetime(2026, 5, 20, tzinfo=UTC)


def rows_at(home: Path) -> tuple[Rows, Blobs, Database]:
    database = Database(home / "state.db")
    blobs = Blobs(home / "objects", RealDisk())
    return Rows(database, blobs), blobs, database


def version(name: str, generation: int, blob: str = "x", state: State = State.LIVE) -> Version:
    return Version("b", name, generation, state, blob, {"metageneration": "1", "size": "1"})


def test_a_commit_is_there_when_the_file_is_opened_again_without_a_close(tmp_path: Path) -> None:
    rows, _, first = rows_at(tmp_path)
    rows.add(version("o", 5))
    again, _, second = rows_at(tmp_path)
    assert again.live("b", "o") == version("o", 5)
    first.close()
    second.close()


def test_generations_grow_although_the_clock_goes_back_and_after_a_restart(tmp_path: Path) -> None:
    rows, _, first = rows_at(tmp_path)
    one = rows.next_generation(NOW)
    two = rows.next_generation(NOW.replace(year=2020))
    first.close()
    again, _, second = rows_at(tmp_path)
    three = again.next_generation(NOW)
    assert one == int(NOW.timestamp() * 1_000_000)
    assert one < two < three
    second.close()


def test_a_shared_file_goes_with_its_last_row(tmp_path: Path) -> None:
    rows, blobs, database = rows_at(tmp_path)
    blob = blobs.store([b"data"])
    rows.add(version("a", 1, blob.name))
    rows.add(version("b", 2, blob.name))
    rows.remove(version("a", 1, blob.name))
    blobs.open(blob.name).close()
    rows.remove(version("b", 2, blob.name))
    with pytest.raises(FileNotFoundError):
        blobs.open(blob.name)
    database.close()


def test_a_file_stays_when_the_removal_is_rolled_back(tmp_path: Path) -> None:
    rows, blobs, database = rows_at(tmp_path)
    blob = blobs.store([b"data"])
    rows.add(version("a", 1, blob.name))
    with pytest.raises(ZeroDivisionError):
        remove_and_fail(rows, database, version("a", 1, blob.name))
    blobs.open(blob.name).close()
    assert rows.live("b", "a") is not None
    database.close()


def remove_and_fail(rows: Rows, database: Database, gone: Version) -> None:
    with database.transaction():
        rows.remove(gone)
        raise ZeroDivisionError


def test_soft_deleted_versions_do_not_count_as_content(tmp_path: Path) -> None:
    rows, _, database = rows_at(tmp_path)
    rows.add(version("a", 1, state=State.SOFT_DELETED))
    assert not rows.holds_any("b")
    rows.add(version("a", 2, state=State.NONCURRENT))
    assert rows.holds_any("b")
    database.close()
