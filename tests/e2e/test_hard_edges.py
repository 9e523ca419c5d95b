"""Bad input: a clear error in four parts, the right exit code, nothing half-done."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Cli


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
def test_wrong_words_are_refused_before_anything_starts(
    cli: Cli, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = cli(*arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "Next:" in done.err
    assert "Read: docs/" in done.err


def test_empty_and_odd_things_to_upload(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "_hidden.txt").write_text("hello")
    for name, words in (
        ("empty.txt", "empty"),
        ("folder", "no file"),
        ("_hidden.txt", "begins with"),
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


def test_a_project_from_the_environment_is_not_deployed_to_by_accident(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("deploy", "--yes", cwd=tmp_path, GOOGLE_CLOUD_PROJECT="prod-project-1")
    assert done.code in {2, 4}
    assert "prod-project-1" in done.err


def test_an_emulator_variable_stops_a_google_command(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "deploy", "--project", "some-project", "--yes", cwd=tmp_path,
        STORAGE_EMULATOR_HOST="http://127.0.0.1:9",
    )  # fmt: skip
    assert done.code == 2, done.err
    assert "STORAGE_EMULATOR_HOST" in done.err


@pytest.mark.parametrize("command", ["deploy", "test-upload", "status", "destroy", "local"])
@pytest.mark.promise("S7")
def test_help_has_examples(cli: Cli, command: str) -> None:
    for flag in ("-h", "--help"):
        done = cli(command, flag)
        assert done.code == 0
        assert "Example" in done.out
