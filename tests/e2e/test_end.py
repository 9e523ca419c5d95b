"""The end of a pipeline: destroyed, proven, and deployed again. Its own local cloud."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli
from tests.e2e.test_journey import client

TOOLS = ("docker", "gcloud", "terraform")


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, called: Path) -> Iterator[Cli]:
    folder = tmp_path_factory.mktemp("end")
    (folder / "tmp").mkdir()
    path = f"{called.parent}:{os.environ['PATH']}"
    run = Cli(folder / "home", {"PATH": path, "TMPDIR": str(folder / "tmp")})
    yield run
    run("local", "stop")


@pytest.fixture
def called(tmp_path: Path) -> Path:
    """Where the recipe's tools, of which there are others first on the PATH, write that they were called."""
    place = tmp_path / "called"
    for tool in TOOLS:
        script = tmp_path / tool
        script.write_text(f'#!/bin/sh\necho "{tool} $*" >> {place}\nexit 1\n')
        script.chmod(0o755)
    return place


def runs(pid: int) -> bool:
    """Whether a process works; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.promise("S24")
@pytest.mark.promise(4)
@pytest.mark.promise(134)
@pytest.mark.promise("S32")
@pytest.mark.promise("S44")
@pytest.mark.promise("S46")
@pytest.mark.promise(132)
@pytest.mark.promise(133)
@pytest.mark.promise("S43")
@pytest.mark.promise("D23")
@pytest.mark.promise("D24")
@pytest.mark.promise("S40", "S42", "S45")
@pytest.mark.promise(14, "D25", "S10", "S26")
def test_deploy_destroy_prove_deploy(own: Cli, called: Path) -> None:
    first = own("deploy", "--local", "-y")
    assert first.code == 0, first.err
    assert re.search(r"^  It took \d+ (s|min)\.$", first.out, re.MULTILINE)
    assert list((own.home.parent / "tmp").iterdir()) == []
    made = own("status", "--local", "-o", "json").json
    buckets = made["buckets"]
    addresses = [f"gs://{buckets['input']}", f"gs://{buckets['output']}/results/"]
    commands = [f"gpupipe {one} --local" for one in ("test-upload", "status", "destroy")]
    for told in (*addresses, *made["services"].values(), *commands):
        assert told in first.out
    client(own).bucket(buckets["models"]).blob("mine").upload_from_string("precious")

    notified = client(own).bucket(buckets["input"]).list_notifications
    assert len(list(notified())) == 1

    mine = own.home.parent / "notes.txt"  # in the folder that the commands run in
    mine.write_text("of the user")
    kept = own("destroy", "--local", "-y", "--keep-data")
    assert kept.code == 0, kept.err
    assert "Nothing else is left" in kept.out
    assert re.search(r"^  It took \d+ (s|min)\.$", kept.out, re.MULTILINE)
    for role in ("input", "models", "output"):
        assert f"    bucket {buckets[role]}\n" in kept.out
    assert list(notified()) == []
    for text in ("first", "second"):
        client(own).bucket(buckets["input"]).blob("twice.txt").upload_from_string(text)
    there = {one.name for one in client(own).list_buckets()}
    assert there == {buckets[role] for role in ("input", "models", "output")}
    assert client(own).bucket(buckets["models"]).blob("mine").download_as_bytes() == b"precious"
    plan = own("deploy", "--local", "-n", "-o", "json").json["actions"]
    verbs = {one["name"]: one["verb"] for one in plan if one["kind"] == "bucket"}
    assert {verbs[name] for name in there} == {"update"}

    done = own("destroy", "--local", "-y", "-o", "json")
    assert done.code == 0, done.err
    assert done.json["leftovers"] == []
    assert len(done.json["removed"]) == 3
    assert done.json["seconds"] > 0
    assert done.json["pipelines"] == []
    assert mine.read_text() == "of the user"
    again = own("destroy", "--local", "--yes", "--output", "json")
    assert again.code == 0
    assert again.json["removed"] == []
    # What ran is told from this machine, now that the bucket is gone.
    runs = own("history", "--local", "-o", "json").json["runs"]
    assert [run["command"] for run in runs] == ["destroy", "destroy", "deploy"]
    assert [run["result"] for run in runs] == ["done"] * 3
    assert runs[-1]["canary"] == "succeeded"
    assert f"delete bucket {buckets['staging']}" in runs[1]["done"]
    last = own("deploy", "--local", "--yes", "--no-canary", "-o", "json")
    assert last.code == 0, last.err
    assert last.json["seconds"] > 0
    assert list((own.home.parent / "tmp").iterdir()) == []
    assert not called.exists(), called.read_text()
    assert not (own.home.parent / ".config").exists()  # gcloud's own folder


def test_after_stop_no_process_and_no_port(own: Cli) -> None:
    assert own("local", "start").code == 0
    status = own("local", "status", "--output", "json").json
    assert status["running"]
    assert own("local", "stop").code == 0
    assert not runs(status["pid"])
    assert not own("local", "status", "--output", "json").json["running"]
