"""`gpupipe workflow run` through the installed command: one daemon for the whole file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

FLOW = """\
main:
  params: [given]
  steps:
    - log: {call: sys.log, args: {text: seen}}
    - count:
        for: {value: n, in: '${given.list}', steps: [{add: {call: doubled, args: {n: '${n}'}, result: last}}]}
    - done: {return: {last: '${last}', colour: '${sys.get_env("COLOUR")}'}}
doubled:
  params: [n]
  steps:
    - it: {return: '${n * 2}'}
""".replace("    - count:", "    - begin: {assign: [{last: null}]}\n    - count:")  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    cli = Cli(tmp_path_factory.mktemp("run") / "home")
    yield cli
    cli("local", "stop")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW)
    return path


def test_the_result_and_the_steps(own: Cli, file: Path) -> None:
    done = own("workflow", "run", str(file), "--data", '{"list": [1, 4]}', "--env", "COLOUR=blue")
    assert (done.code, done.json) == (0, {"last": 8, "colour": "blue"}), done.err
    said = done.err.splitlines()
    assert [line for line in said if line.startswith(("main:", "doubled:"))] == [
        "main: log", "main: begin", "main: count", "main: add", "doubled: it", "main: add",
        "doubled: it", "main: done",
    ]  # fmt: skip


@pytest.mark.long
def test_an_error_under_its_line(own: Cli, file: Path) -> None:
    done = own("workflow", "run", str(file), "--data", '{"list": [1, "x"]}')
    assert (done.code, done.out) == (1, "")
    assert "Error: TypeError: " in done.err
    assert f"{file}:12:7" in done.err
    assert "    - it: {return: '${n * 2}'}\n        ^" in done.err
    assert 'in step "count", routine "main", line: 6' in done.err


@pytest.mark.long
def test_programs_read_the_error(own: Cli, file: Path) -> None:
    told = own("workflow", "run", str(file), "--data", '{"list": ["x"]}', "-o", "json")
    assert (told.json["schema"], told.json["state"]) == ("gpupipe.workflow-run/1", "FAILED")
    assert (told.code, told.json["error"]["payload"]["tags"]) == (1, ["TypeError"])
    assert [one["step"] for one in told.json["steps"]] == ["log", "begin", "count", "add", "it"]
    assert told.json["error"]["stack"][0] == {
        "step": "it", "routine": "doubled", "line": 12, "column": 7,
    }  # fmt: skip
