"""`gpupipe workflow validate` through the installed command: no cloud, no daemon."""

from pathlib import Path

from tests.e2e.conftest import Cli


def test_faults_are_told_and_end_with_two(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "flow.json"
    file.write_text('[{"a": {"return": "${nobody}"}}]')
    done = cli("workflow", "validate", str(file))
    assert (done.code, done.err) == (2, "")
    assert "flow.json:1:22: step 'a': symbol 'nobody'" in done.out
    assert cli("workflow", "validate", str(file), "--output", "json").json["valid"] is False


def test_a_file_that_is_not_there_is_an_error_in_four_parts(cli: Cli, tmp_path: Path) -> None:
    done = cli("workflow", "validate", str(tmp_path / "none.yaml"))
    assert done.code == 2
    assert "cannot be read" in done.err
    assert "reference/workflows.md" in done.err


def test_of_very_many_faults_a_thousand_are_shown(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "flow.json"
    file.write_text("[" + "1," * 5000 + "1]")
    done = cli("workflow", "validate", str(file))
    assert done.code == 2
    assert done.out.splitlines()[-2:] == [
        "and 4001 more; --output json has all",
        f"{file}: 5001 faults",
    ]
