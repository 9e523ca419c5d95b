"""Many files at a time: a summary, results as files, and what failed once more."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

MANY = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of more files than get a row each, one of them bad."""
    mails = tmp_path_factory.mktemp("many") / "many"
    mails.mkdir()
    for number in range(MANY - 1):
        (mails / f"m{number:02}.txt").write_text(f"A lovely day, number {number}.")
    (mails / "bad.txt").write_bytes(b"caf\xe9 \x00")
    return mails


@pytest.mark.promise(83)
def test_a_summary_and_the_results_as_files_then_what_failed_again(
    deployed: Cli, folder: Path
) -> None:
    where = folder.parent
    done = deployed("test-upload", "--local", "many", "--out", "got", cwd=where)
    assert done.code == 1, done.err
    assert f"{MANY - 1} succeeded" in done.out
    assert "1 times input: " in done.out
    assert "  many/bad.txt" in done.out
    assert "m00.txt" not in done.out, "files that came out well get no row"
    got = where / "got" / "many"
    assert json.loads((got / "m07.txt.json").read_text())["input"]["name"] == "many/m07.txt"
    assert json.loads((got / "bad.txt.error.json").read_text())["class"] == "input"
    assert len(list(got.iterdir())) == MANY

    (folder / "bad.txt").write_text("mended")
    (folder / "new.txt").write_text("never sent before")
    again = deployed("test-upload", "--local", "many", "--retry-failed", "-o", "json", cwd=where)
    assert again.code == 0, again.err
    assert [row["object"] for row in again.json["files"]] == ["many/bad.txt", "many/new.txt"]
    assert again.json["done_before"] == MANY - 1
    assert again.json["summary"]["states"] == {"succeeded": 2}
