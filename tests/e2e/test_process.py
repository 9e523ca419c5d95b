"""Files that were there before the pipeline saw them, and what came out of it."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

BUCKET = "ml-pipeline-input-gpupipe-local"


def test_only_the_input_bucket_is_taken(deployed: Cli) -> None:
    for address, said in (
        ("gs://elsewhere/mails", "gcloud storage cp"),
        ("mails", f"gs://{BUCKET}"),
    ):
        done = deployed("process", "--local", address)
        assert done.code == 2
        assert said in done.err


@pytest.mark.promise(85)
def test_what_came_out_is_listed_and_got(deployed: Cli, tmp_path: Path) -> None:
    mails = tmp_path / "letters"
    mails.mkdir()
    (mails / "a b.txt").write_text("A lovely day.")
    (mails / "bad.txt").write_bytes(b"caf\xe9 \x00")
    done = deployed("test-upload", "--local", "letters", "-o", "json", cwd=tmp_path)
    generation = done.json["files"][0]["generation"]
    found = deployed("results", "list", "--local", "letters/", "-o", "json").json
    rows = [(one["input"], one["state"]) for one in found["results"]]
    assert rows == [("letters/a b.txt", "succeeded"), ("letters/bad.txt", "failed")]

    got = deployed("results", "get", "--local", "letters/a b.txt")
    assert (got.code, got.json["input"]["generation"]) == (0, generation)
    assert deployed("results", "get", "--local", "letters/bad.txt").code == 1
    done = deployed("results", "get", "--local", "letters/", "--out", "got", cwd=tmp_path)
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "got/letters/a b.txt.json").read_text())
    assert written["input"]["generation"] == generation
    assert (tmp_path / "got/letters/bad.txt.error.json").exists()

    done = deployed("process", "--local", f"gs://{BUCKET}/letters/", "--retry-failed", "-o", "json")
    assert (done.code, done.json["summary"]["states"]) == (1, {"failed": 1})
    assert done.json["left_alone"]["done"] == 1
