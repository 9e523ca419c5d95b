"""`gpupipe workflow run`: what is refused before there is a cloud."""

from pathlib import Path

import pytest

from gpupipe.commands._workflow_run import RunRequest, run_workflow
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


def _request(file: Path, data: str = "null", *variables: str) -> RunRequest:
    return RunRequest(Flags(local=True), file, data, variables, "", Output.TEXT)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flow.json"
    path.write_text('[{"a": {"return": 1}}]')
    return path


@pytest.mark.parametrize(
    ("data", "variables", "told"),
    [("{", (), "--data is not JSON"), ("1", ("COLOUR",), "is not NAME=VALUE")],
)
def test_what_is_no_argument(file: Path, data: str, variables: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        run_workflow(_request(file, data, *variables))


def test_a_source_with_faults_is_not_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[{"a": {"return": "${nobody}"}}]')
    assert run_workflow(_request(file)) == Exit.USAGE
    assert f"{file}:1:22" in capsys.readouterr().out
