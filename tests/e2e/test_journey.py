"""A newcomer's journey through the installed command, on a local cloud with a home of its own."""

import json
import re
import shutil
import warnings
from pathlib import Path

import pytest
from google.auth import load_credentials_from_file
from google.cloud import storage

from tests.e2e.conftest import Cli

TEXTS = {
    "good.txt": "What a wonderful film, I loved every minute of it.",
    "bad.txt": "This was terrible. I want my money back.",
}


def client(cli: Cli) -> storage.Client:
    """An unmodified storage client with what `local env` gives any Google client."""
    env = cli("local", "env", "--output", "json").json
    with warnings.catch_warnings():
        # What google.auth.default() calls for the file that `local env` names.
        warnings.simplefilter("ignore", DeprecationWarning)
        credentials, _ = load_credentials_from_file(env["adc_file"])
    return storage.Client(
        project=env["project"],
        credentials=credentials,
        client_options={"api_endpoint": env["http"]},
    )


def requests_since(cli: Cli, sequence: int) -> list[dict[str, object]]:
    rows = cli("local", "logs", "--requests", "--since", str(sequence), "--output", "json").json
    return list(rows["requests"])


def last_sequence(cli: Cli) -> int:
    rows = requests_since(cli, 0)
    return max((int(str(row["sequence"])) for row in rows), default=0)


@pytest.mark.promise(3)
@pytest.mark.promise(30)
@pytest.mark.promise(1)
@pytest.mark.promise(28)
@pytest.mark.promise(67)
@pytest.mark.promise(68)
@pytest.mark.promise(69)
@pytest.mark.promise(76)
@pytest.mark.promise(130)
@pytest.mark.promise("S83")
@pytest.mark.promise("D11")
@pytest.mark.promise("D6")
def test_deploy_ends_with_what_was_made(deployed: Cli) -> None:
    done = deployed("status", "--local", "--output", "json")
    assert done.code == 0, done.err
    kinds = {row["kind"] for row in done.json["resources"]}
    assert {"image", "repository", "bucket", "service", "workflow", "trigger"} <= kinds
    assert "service account" in kinds
    assert all(row["state"] == "ready" for row in done.json["resources"]), done.json


@pytest.mark.promise(5)
@pytest.mark.promise(14)
@pytest.mark.promise("S10")
def test_neither_docker_nor_gcloud_is_needed(deployed: Cli) -> None:
    path = deployed.env()["PATH"]
    assert not [one for one in ("docker", "podman", "gcloud") if shutil.which(one, path=path)]
    rows = deployed("status", "--local", "--output", "json").json["resources"]
    images = [row["name"] for row in rows if (row["kind"], row["state"]) == ("image", "ready")]
    assert images == ["preprocess", "gpu-inference", "postprocess"]
    doctor = deployed("doctor", "--local", "--output", "json")
    assert doctor.code == 0, doctor.out


@pytest.mark.promise("S42")
@pytest.mark.promise(2)
@pytest.mark.promise(69)
@pytest.mark.promise("S6")
def test_the_second_deploy_writes_nothing(deployed: Cli) -> None:
    before = last_sequence(deployed)
    done = deployed("deploy", "--local", "--yes", "--output", "json")
    assert done.code == 0, done.err
    rows = requests_since(deployed, before)
    assert rows, "the second deploy asked nothing at all"
    assert [row for row in rows if row["writes"]] == []
    assert not done.json["plan"]["writes"]


@pytest.mark.promise(41)
@pytest.mark.promise(80)
@pytest.mark.promise(42)
@pytest.mark.promise("D1")
@pytest.mark.promise("D9")
def test_upload_of_own_files(deployed: Cli, tmp_path: Path) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    done = deployed("test-upload", "--local", str(tmp_path), "--output", "json")
    assert done.code == 0, done.err
    files = {Path(row["file"]).name: row for row in done.json["files"]}
    assert files["good.txt"]["label"] == "positive"
    assert files["bad.txt"]["label"] == "negative"
    for row in files.values():
        assert row["state"] == "succeeded"
        assert set(row["seconds"]) == {"upload", "queue", "preprocess", "inference", "postprocess"}


@pytest.mark.promise(40)
@pytest.mark.promise(41)
@pytest.mark.promise(83)
@pytest.mark.promise(85)
@pytest.mark.promise("D29")
def test_files_copied_by_an_unmodified_client_have_one_outcome_each(deployed: Cli) -> None:
    status = deployed("status", "--local", "-o", "json").json
    assert status["resources"]
    buckets = status["buckets"]
    gcs = client(deployed)
    generations = {}
    for index in range(5):
        blob = gcs.bucket(buckets["input"]).blob(f"theirs/file {index}.txt")
        blob.upload_from_string(f"It is a fine day, number {index}.")
        generations[blob.name] = blob.generation
    done = deployed("test-upload", "--local", "--output", "json")  # later files: a full drain
    assert done.code == 0, done.err
    for name, generation in generations.items():
        wanted = f"results/{name}.{generation}.json"
        outcome = _wait_for(deployed, gcs, buckets["output"], wanted)
        assert outcome["input"]["name"] == name
        errors = list(gcs.list_blobs(buckets["output"], prefix=f"errors/{name}."))
        results = list(gcs.list_blobs(buckets["output"], prefix=f"results/{name}."))
        assert (len(results), len(errors)) == (1, 0)


def _wait_for(cli: Cli, gcs: storage.Client, bucket: str, name: str) -> dict[str, dict[str, str]]:
    """The result object, once `status` shows no execution at work any more."""
    for _ in range(60):
        blob = gcs.bucket(bucket).blob(name)
        if blob.exists():
            return dict(json.loads(blob.download_as_bytes()))
        cli("status", "--local")  # takes its time: no sleep is needed
    raise AssertionError(f"no {name} in {bucket}")


@pytest.mark.promise(35)
@pytest.mark.promise("D4")
def test_a_file_that_cannot_be_read_shows_its_reason(deployed: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.txt").write_bytes(b"caf\xe9 \x00 au lait")
    done = deployed("test-upload", "--local", str(tmp_path / "broken.txt"), "--output", "json")
    assert done.code == 1
    (row,) = done.json["files"]
    assert row["state"] == "failed"
    assert row["class"] == "input"
    assert row["error_object"].startswith("errors/")


@pytest.mark.promise(37)
@pytest.mark.promise(96)
def test_logs_tell_of_a_file_on_its_whole_way(deployed: Cli) -> None:
    sent = deployed("test-upload", "--local", "-o", "json").json["files"][0]
    done = deployed("logs", "--local", "--execution", sent["execution"], "--output", "json")
    assert done.code == 0, done.err
    entries = done.json["entries"]
    assert {one["source"] for one in entries} >= {"workflow", "preprocess", "postprocess"}
    assert {one["execution"] for one in entries} == {sent["execution"]}
    told = [one["text"] for one in entries if one["source"] == "workflow"]
    assert told == ["started", "preprocess", "inference", "postprocess", "success"]
    assert all(one["fields"]["object"] == sent["object"] for one in entries)
    short = deployed("logs", "preprocess", "--local", "--execution", sent["execution"][:8],
                     "--grep", "preprocessed")  # fmt: skip
    assert len(short.out.splitlines()) == 1


@pytest.mark.promise("S67")
def test_status_has_outputs_for_programs_and_an_exit_code(deployed: Cli) -> None:
    done = deployed("status", "--local", "--check", "--exit-code", "-o", "json")
    assert done.code == 0, done.err
    document = done.json
    assert document["outputs"]["input_bucket_name"] == document["buckets"]["input"]
    assert {one["verdict"] for one in document["health"]} == {"not checked"}
    lines = deployed("status", "--local", "-o", "env").out.splitlines()
    assert lines[0] == "export GPUPIPE_TARGET=local"
    assert f"export INPUT_BUCKET_NAME={document['buckets']['input']}" in lines
    absent = deployed("status", "--local", "--prefix", "nothing", "--exit-code")
    assert absent.code == 3
    assert "There is no pipeline nothing" in absent.out


def test_validate_tells_a_verdict_for_each_part(deployed: Cli) -> None:
    done = deployed("validate", "--local", "--output", "json")
    assert done.code == 0, done.err
    assert done.json["passed"]
    verdicts = {one["name"]: one["verdict"] for one in done.json["verdicts"]}
    assert verdicts == {
        "health of preprocess": "not measured",
        "health of gpu-inference": "not measured",
        "health of postprocess": "not measured",
        "canary": "passed",
    }


@pytest.mark.promise(84)
@pytest.mark.promise(129)
def test_executions_are_listed_shown_and_repeated(deployed: Cli) -> None:
    sent = deployed("test-upload", "--local", "-o", "json").json["files"][0]
    listed = deployed("executions", "list", "--local", "-o", "json").json["executions"]
    assert sent["execution"] in {one["id"] for one in listed}
    assert not [one for one in listed if one["file"].startswith("gpupipe-canary/")]
    shown = deployed("executions", "show", sent["object"], "--local")
    assert shown.code == 0, shown.err
    assert sent["label"] in shown.out
    left = deployed("executions", "retry", sent["execution"], "--local", "-o", "json")
    assert left.json["left_alone"] == [{"what": sent["object"], "why": "it has its result"}]
    ended = deployed("executions", "cancel", sent["execution"], "--local", "-o", "json")
    assert ended.json["ended_before"] == [sent["execution"]]


@pytest.mark.promise("S23")
def test_without_arguments_the_samples_are_sent(deployed: Cli) -> None:
    done = deployed("test-upload", "--local")
    assert done.code == 0, done.err
    for label in ("positive", "neutral", "negative"):  # which its sample is named by
        assert re.search(rf"^{label} .*\b{label}\.(txt|md)$", done.out, re.MULTILINE)


def test_the_target_is_the_first_line_of_every_command(deployed: Cli) -> None:
    for command in (("status",), ("deploy", "--dry-run"), ("destroy", "--dry-run")):
        done = deployed(*command, "--local")
        assert re.match(r"Target: the local cloud", done.err), done.err


@pytest.mark.promise("S38")
def test_destroy_asks_and_no_is_the_default(deployed: Cli) -> None:
    before = last_sequence(deployed)
    done = deployed("destroy", "--local", stdin="\n")
    assert done.code == 0
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []
    assert deployed("status", "--local", "--output", "json").json["resources"]
