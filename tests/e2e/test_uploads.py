"""Files of all kinds through `test-upload`: what is sent, what is refused, what is told."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Cli
from tests.e2e.test_journey import last_sequence, requests_since


def write(folder: Path, *names: str, text: str = "A lovely day, I enjoyed it.") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def writes_since(cli: Cli, before: int) -> list[dict[str, object]]:
    return [row for row in requests_since(cli, before) if row["writes"]]


@pytest.mark.promise(83)
def test_folders_odd_names_and_names_that_come_twice(deployed: Cli, tmp_path: Path) -> None:
    write(tmp_path, "mails/deep/ünï code é.txt", "mails/b [x].md", "a/same.txt", "b/same.txt")
    done = deployed(
        "test-upload", "--local", "mails", "a/same.txt", "b/same.txt", "-o", "json", cwd=tmp_path
    )
    assert done.code == 0, done.err
    rows = {row["object"]: row for row in done.json["files"]}
    assert list(rows) == ["mails/b [x].md", "mails/deep/ünï code é.txt", "a/same.txt", "b/same.txt"]
    for name, row in rows.items():
        assert row["state"] == "succeeded"
        assert row["result_object"] == f"results/{name}.{row['generation']}.json"
    assert done.json["output_bucket"].endswith("-output-gpupipe-local")


def test_one_odd_file_stops_all_before_anything_is_sent(deployed: Cli, tmp_path: Path) -> None:
    write(tmp_path, "mails/good.txt", "mails/prog.exe")
    write(tmp_path, "mails/empty.txt", text="")
    before = last_sequence(deployed)
    done = deployed("test-upload", "--local", "mails", cwd=tmp_path)
    assert done.code == 2
    assert "mails/prog.exe: " in done.err
    assert "mails/empty.txt: it is empty" in done.err
    assert "--skip" in done.err
    assert writes_since(deployed, before) == []


def test_with_skip_the_rest_is_sent(deployed: Cli, tmp_path: Path) -> None:
    write(tmp_path, "mails/good.txt", "mails/prog.exe")
    done = deployed("test-upload", "--local", "--skip", "mails", "-o", "json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert [row["object"] for row in done.json["files"]] == ["mails/good.txt"]
    assert [row["file"] for row in done.json["skipped"]] == ["mails/prog.exe"]


@pytest.mark.promise(35)
def test_a_failure_shows_its_reason_and_its_record_to_people(deployed: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.txt").write_bytes(b"caf\xe9 \x00 au lait")
    write(tmp_path, "good.txt")
    done = deployed("test-upload", "--local", "broken.txt", "good.txt", cwd=tmp_path)
    assert done.code == 1
    assert "  input: " in done.out
    assert "-output-gpupipe-local/errors/broken.txt." in done.out
    assert "-output-gpupipe-local/results/good.txt." in done.out
    assert "1 failed; 1 succeeded." in done.out
    assert "\x1b" not in done.out + done.err


def test_without_waiting_it_ends_when_all_are_sent(deployed: Cli, tmp_path: Path) -> None:
    write(tmp_path, "later.txt")
    done = deployed("test-upload", "--local", "--no-wait", "later.txt", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "1 sent." in done.out
    assert "gpupipe status" in done.out
    # It is followed by nobody, and has its outcome all the same.
    again = deployed("test-upload", "--local", "-o", "json", cwd=tmp_path)
    assert again.code == 0, again.err


def test_where_there_is_no_pipeline_the_others_are_named(deployed: Cli) -> None:
    done = deployed("test-upload", "--local", "--prefix", "other")
    assert done.code == 1
    assert "ml-pipeline (us-central1)" in done.err
