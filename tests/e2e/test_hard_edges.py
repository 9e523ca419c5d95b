"""Bad input: a clear error in four parts, the right exit code, nothing half-done."""

import os
import pty
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import GPUPIPE, TIMEOUT_S, Cli


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cli]:
    run = Cli(tmp_path / "home")
    yield run
    run("local", "stop")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("deploy", "--local", "--project", "UPPER"), 2, "UPPER"),
        (("deploy", "--local", "--project", "example.com:p1"), 2, "domain"),
        (("deploy", "--local", "--region", "us_central"), 2, "us_central"),
        (("deploy", "--local", "--prefix", "x"), 2, "prefix"),
        (("deploy", "--local", "--prefix", "google-ml"), 2, "goog"),
        (("deploy", "--local", "--config", "missing.toml"), 2, "missing.toml"),
        (("test-upload", "--local", "nowhere.txt"), 2, "nowhere.txt"),
        (("deploy", "--nonsense"), 2, "--nonsense"),
    ],
)
@pytest.mark.promise("S8")
@pytest.mark.promise("S1")
@pytest.mark.promise("S3")
def test_wrong_words_are_refused_before_anything_starts(
    cli: Cli, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = cli(*arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "Next:" in done.err
    assert "Read: docs/" in done.err


@pytest.mark.promise("S25", "S27")
def test_an_error_is_red_on_a_terminal_and_plain_elsewhere(cli: Cli) -> None:
    arguments = ("deploy", "--local", "--prefix", "x")
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [GPUPIPE, *arguments], env=cli.env(TERM="xterm"),
        stdin=follower, stdout=follower, stderr=follower,
    ) as process:  # fmt: skip
        os.close(follower)
        assert process.wait(TIMEOUT_S) == 2
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        seen = terminal.read(4096).decode()
    plain = cli(*arguments).err
    first = plain.splitlines()[0]
    assert first.startswith("Error: ")
    assert f"\x1b[1;31m{first}\x1b[0m" in seen
    assert "\x1b" not in plain


def test_empty_and_odd_things_to_upload(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "_hidden.txt").write_text("hello")
    for name, words in (
        ("empty.txt", "empty"),
        ("folder", "no file"),
        ("_hidden.txt", "begin with _"),
    ):
        done = cli("test-upload", "--local", str(tmp_path / name))
        assert done.code == 2, done.err
        assert words in done.err


@pytest.mark.promise("S11")
def test_google_without_credentials_exits_4_and_says_how_to_get_them(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("deploy", "--project", "some-project", "--yes", cwd=tmp_path)
    assert done.code == 4, done.err
    assert "gcloud auth application-default login" in done.err


def test_a_project_from_the_environment_is_not_deployed_to_by_accident(tmp_path: Path) -> None:
    """Without credentials it ends there; with some, see tests/unit/test_context.py."""
    run = Cli(tmp_path / "home")
    done = run("deploy", "--yes", cwd=tmp_path, GOOGLE_CLOUD_PROJECT="prod-project-1")
    assert done.code == 4, done.err
    first, *_ = done.err.splitlines()
    assert first == (
        "Target: Google Cloud, project prod-project-1 (project from GOOGLE_CLOUD_PROJECT)"
    )
    assert not run("local", "status", "--output", "json").json["running"]


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [(("--local",), {}), ((), {"GPUPIPE_TARGET": "local"})],
    ids=["--local", "GPUPIPE_TARGET"],
)
def test_a_project_from_the_environment_is_no_project_of_the_local_cloud(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    done = cli(
        "deploy", "--dry-run", *arguments, cwd=tmp_path,
        GOOGLE_CLOUD_PROJECT="prod-project-1", **variables,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.err.startswith("Target: the local cloud, project gpupipe-local")
    assert "prod-project-1" not in done.out + done.err


def test_ports_that_somebody_else_has_by_now_are_left_to_them(own: Cli) -> None:
    assert own("local", "start").code == 0
    before = own("local", "status", "--output", "json").json
    assert own("local", "stop").code == 0
    ports = [int(before[name].rpartition(":")[2]) for name in ("http", "grpc")]
    with ExitStack() as others:
        for port in ports:
            others.enter_context(socket.create_server(("127.0.0.1", port)))
        done = own("deploy", "--local", "--dry-run")
        assert done.code == 0, done.err
        now = own("local", "status", "--output", "json").json
        assert {now["http"], now["grpc"]}.isdisjoint({before["http"], before["grpc"]})
        assert own("status", "--local").code == 0


@pytest.mark.parametrize(
    "runs",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["it runs", "it does not run"],
)
def test_a_corrupt_state_file_of_the_local_cloud_is_replaced(own: Cli, runs: bool) -> None:
    assert own("local", "start").code == 0
    if not runs:
        assert own("local", "stop").code == 0
    state = own.home / "local" / "daemon.json"
    state.write_text('{"pid": "none of ours"')
    done = own("deploy", "--local", "--dry-run")
    assert done.code == 0, done.err
    assert f"state file {state} was corrupt; replaced" in done.err
    assert own("local", "status", "--output", "json").json["running"]
    quiet = own("deploy", "--local", "--dry-run")
    assert "corrupt" not in quiet.err


def test_an_emulator_variable_stops_a_google_command(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "deploy", "--project", "some-project", "--yes", cwd=tmp_path,
        STORAGE_EMULATOR_HOST="http://127.0.0.1:9",
    )  # fmt: skip
    assert done.code == 2, done.err
    assert "STORAGE_EMULATOR_HOST" in done.err


@pytest.mark.parametrize("command", ["deploy", "test-upload", "status", "destroy", "local"])
@pytest.mark.promise("S7")
@pytest.mark.promise("S35")
def test_help_has_examples(cli: Cli, command: str) -> None:
    for flag in ("-h", "--help"):
        done = cli(command, flag)
        assert done.code == 0
        assert "Example" in done.out
