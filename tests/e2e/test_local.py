"""`gpupipe local`: the daemon's life, and what gives any Google client this cloud."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

UNMODIFIED = """
from google.cloud import storage
client = storage.Client()
bucket = client.create_bucket("theirs-of-the-shell")
bucket.blob("a folder/é.txt").upload_from_string("hello")
print([blob.name for blob in client.list_blobs(bucket)])
bucket.delete(force=True)
"""


@pytest.fixture
def token(cli: Cli) -> str:
    """The operator's token, which nothing may print."""
    env = cli("local", "env", "-o", "json").json
    return Path(env["token_file"]).read_text().strip()


def test_eval_of_env_gives_an_unmodified_client_this_cloud(cli: Cli, tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(UNMODIFIED)
    gpupipe = Path(sys.executable).with_name("gpupipe")
    done = subprocess.run(
        ["/bin/sh", "-c", f'eval "$({gpupipe} local env)" && exec {sys.executable} {script}'],
        env=cli.env(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['a folder/é.txt']"


@pytest.mark.parametrize(
    "command",
    [("env",), ("status",), ("start",), ("logs",), ("logs", "--requests")],
    ids=" ".join,
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_command_prints_a_token(
    cli: Cli, token: str, command: tuple[str, ...], form: str
) -> None:
    done = cli("local", *command, "-o", form)
    assert done.code == 0, done.err
    assert len(token) > 20
    assert token not in done.out + done.err
    assert "\x1b" not in done.out + done.err


def test_env_for_programs_is_as_documented(cli: Cli) -> None:
    env = cli("local", "env", "-o", "json").json
    assert set(env) == {
        "grpc", "http", "token_file", "adc_file", "gcloud_config", "boto_config",
        "ca_file", "project", "project_number", "region",
    }  # fmt: skip
    assert env["http"].startswith("http://127.0.0.1:")
    assert env["grpc"].startswith("127.0.0.1:")
    for name in ("token_file", "adc_file", "gcloud_config", "boto_config", "ca_file"):
        assert Path(env[name]).stat().st_mode & 0o077 == 0


def test_env_takes_back_what_would_lead_gcloud_elsewhere(cli: Cli) -> None:
    lines = cli("local", "env", CLOUDSDK_PROXY_ADDRESS="proxy.example").out.splitlines()
    assert lines[0] == "unset CLOUDSDK_PROXY_ADDRESS"
    assert any(line.startswith("export CLOUDSDK_CONFIG=") for line in lines)


def test_gcloud_is_run_with_its_own_configuration(cli: Cli, tmp_path: Path) -> None:
    """By a program of that name which tells what it was given."""
    program = tmp_path / "gcloud"
    program.write_text('#!/bin/sh\necho "$CLOUDSDK_CONFIG $CLOUDSDK_PROXY_PORT $*"\nexit 7\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    arguments = ("local", "gcloud", "--", "run", "--quiet", "two words", "--help")
    done = cli(*arguments, PATH=path, CLOUDSDK_PROXY_PORT="1")
    folder = cli("local", "env", "-o", "json").json["gcloud_config"]
    assert (done.code, done.out) == (7, f"{folder}  run --quiet two words --help\n")


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
@pytest.mark.promise("D25")
def test_the_real_gcloud_sees_this_cloud_and_leaves_the_users_alone(cli: Cli) -> None:
    describe = ("local", "gcloud", "--", "projects", "describe", "gpupipe-local")
    done = cli(*describe, PATH=os.environ["PATH"])
    assert done.code == 0, done.err
    assert "projectId: gpupipe-local" in done.out
    assert not (cli.home.parent / ".config" / "gcloud").exists()


def test_without_gcloud_it_says_where_to_get_it(cli: Cli, tmp_path: Path) -> None:
    done = cli("local", "gcloud", "--", "version", PATH=str(tmp_path))
    assert done.code == 2
    assert "gcloud is not installed" in done.err
    assert "cloud.google.com/sdk" in done.err


def test_a_life_of_its_own(tmp_path: Path) -> None:
    """Asked about, stopped, reset, started, each also when there is nothing to do."""
    own = Cli(tmp_path / "home")
    try:
        assert "does not run" in own("local", "status").out
        assert own("local", "stop", "-o", "json").json["stopped"] is False
        assert own("local", "logs").code == 0
        refused = own("local", "reset", stdin="\n")
        assert refused.code == 0
        assert "Nothing was forgotten" in refused.err
        assert not own("local", "status", "-o", "json").json["running"]
        for _ in range(2):
            assert own("local", "reset", "--yes", "-o", "json").json["reset"] is True
        status = own("local", "start", "-o", "json").json
        assert status["running"]
        assert status["home"] == str(own.home / "local")
        assert str(status["pid"]) in own("local", "status").out
    finally:
        stopped = own("local", "stop")
    assert "has stopped" in stopped.out
