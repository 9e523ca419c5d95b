"""How commands behave: colours, consoles that lack characters, silence, and nobody to ask."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from gpupipe.app import everywhere
from gpupipe.commands import _question
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.manners import Manners, behave
from gpupipe.render.console import talk

GPUPIPE = Path(sys.executable).with_name("gpupipe")


@pytest.fixture(autouse=True)
def _as_usual_afterwards() -> object:
    yield
    behave(Manners())


def gpupipe(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [GPUPIPE, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )


def test_a_console_without_a_character_shows_its_number(tmp_path: Path) -> None:
    (tmp_path / "gpupipe.toml").write_text('[workflow]\nsource = "日本.yaml"\n', encoding="utf-8")
    done = gpupipe(tmp_path, "config", "show", PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert b"\\u65e5\\u672c.yaml" in done.stdout
    done = gpupipe(tmp_path, "config", "show", "-o", "json", PYTHONIOENCODING="cp1252")
    values = {
        one["option"]: one["value"] for one in json.loads(done.stdout.decode("cp1252"))["options"]
    }
    assert values["workflow.source"] == "日本.yaml"


def test_no_colour_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    talk().print(Text("a", style="red"))
    assert "\x1b[31m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    talk().print(Text("a", style="red"))
    assert "\x1b[31m" not in capsys.readouterr().err


def test_completion_is_offered(tmp_path: Path) -> None:
    # Whichever shell runs these tests.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = gpupipe(tmp_path, "--show-completion", "bash", **named)
    assert b"_GPUPIPE_COMPLETE" in done.stdout
    done = gpupipe(
        tmp_path, _GPUPIPE_COMPLETE="complete_bash", COMP_WORDS="gpupipe conf", COMP_CWORD="1"
    )
    assert done.stdout.split() == [b"config"]
    done = gpupipe(
        tmp_path,
        _GPUPIPE_COMPLETE="complete_bash",
        COMP_WORDS="gpupipe plan --preset c",
        COMP_CWORD="3",
    )
    assert done.stdout.split() == [b"cost-optimized", b"cpu-only"]


@pytest.mark.parametrize("text", ["", None])
def test_a_question_that_nobody_can_answer_is_an_error_that_names_the_option(
    monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr(sys, "stdin", None if text is None else io.StringIO(text))
    for question in (lambda: _question.ask("Go on?"), lambda: _question.ask_to_type("All.", "x")):
        with pytest.raises(UsageError, match="nobody to answer") as caught:
            question()
        assert "--yes" in caught.value.resolution
        assert caught.value.exit is Exit.USAGE


def test_no_input_asks_nothing_though_somebody_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    behave(Manners(no_input=True))
    with pytest.raises(UsageError, match="nobody to answer"):
        _question.ask("Go on?")
    behave(Manners())
    assert _question.ask("Go on?")
    assert capsys.readouterr().err == "Go on? [y/N] "


def test_quiet_says_nothing_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    behave(Manners(quiet=True))
    talk().print("on the way")
    assert capsys.readouterr().err == ""


def test_the_options_of_the_root_may_stand_anywhere() -> None:
    assert everywhere(["deploy", "--quiet", "--yes"]) == ["--quiet", "deploy", "--yes"]
    assert everywhere(["a", "--", "--quiet"]) == ["a", "--", "--quiet"]
