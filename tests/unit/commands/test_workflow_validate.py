"""`gpupipe workflow validate`, on files."""

import json
from pathlib import Path

import pytest

from gpupipe.commands._workflow import run_validate
from gpupipe.core.errors import Exit, UsageError
from gpupipe.render.output import Output
from gpupipe.render.source_marks import marked

WRONG = "main:\n  steps:\n    - one:\n        return: ${nobody}\n        next: nowhere\n"


def test_each_fault_has_its_line_and_a_marker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(WRONG)
    assert run_validate(file, Output.TEXT) == Exit.USAGE
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:4:19: step 'one': symbol 'nobody' is neither a variable nor a sub-workflow name",
        "          return: ${nobody}",
        "                    ^",
        f"{file}:5:15: step 'one': next: there is no step 'nowhere' to go to",
        "          next: nowhere",
        "                ^",
        f"{file}: 2 faults",
    ]


def test_programs_read_the_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(WRONG)
    assert run_validate(file, Output.JSON) == Exit.USAGE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["valid"]) == ("gpupipe.workflow-validate/1", False)
    assert [(one["line"], one["column"]) for one in answer["faults"]] == [(4, 19), (5, 15)]


def test_the_pipeline_has_no_faults(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(__file__).parents[3] / "src/gpupipe/pipeline/pipeline.yaml"
    assert run_validate(file, Output.TEXT) == Exit.DONE
    assert capsys.readouterr().out == f"{file}: no faults\n"


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"a: \xff\xfe", "not written in UTF-8")]
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "flow.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        run_validate(file, Output.TEXT)
    assert caught.value.resource == str(file)


def test_a_file_too_large_is_read_no_further(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("é" * 100_000)
    assert run_validate(file, Output.TEXT) == Exit.USAGE
    assert "larger than 131072 bytes" in capsys.readouterr().out


def test_a_long_line_is_cut_around_the_place() -> None:
    text, mark = marked(["a" * 150 + "X" + "b" * 150], 1, 151)
    assert text[mark.index("^")] == "X"
    assert (text[0], text[-1], len(text)) == ("…", "…", 102)


def test_a_place_behind_the_end_is_shown() -> None:
    assert marked(["ab"], 1, 3) == ["ab", "  ^"]
    assert marked([], 1, 1) == ["", "^"]
