"""One key of a TOML file is set; everything else stays, byte for byte."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.core.errors import UsageError
from gpupipe.core.toml_file import set_values, with_values

WHOLE = """# my pipeline

# why so long
queue_wait = 7200 # two hours
model = "old@1"   # until the new one is there

[preprocess]
memory = "2Gi"
"""


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    assert with_values(WHOLE, {"model": "new@2"}) == WHOLE.replace("old@1", "new@2")


def test_a_key_is_added_before_the_tables() -> None:
    without = WHOLE.replace('model = "old@1"   # until the new one is there\n', "")
    assert with_values(without, {"model": "a@1"}) == without.replace(
        "two hours\n", 'two hours\nmodel = "a@1"\n'
    )
    assert with_values('[preprocess]\nmemory = "2Gi"', {"model": "a@1"}) == (
        'model = "a@1"\n\n[preprocess]\nmemory = "2Gi"'
    )
    assert with_values("queue_wait = 60", {"model": "a@1"}) == 'queue_wait = 60\nmodel = "a@1"\n'
    assert with_values("", {"model": "a@1"}) == 'model = "a@1"\n'


def test_a_key_is_taken_out_and_one_that_is_not_there_is_no_error() -> None:
    assert with_values(WHOLE, {"model": None}) == WHOLE.replace(
        'model = "old@1"   # until the new one is there\n', ""
    )
    assert with_values("queue_wait = 60", {"model": None}) == "queue_wait = 60"


def test_only_the_top_level_counts() -> None:
    text = '[other]\nmodel = "x"\n'
    assert with_values(text, {"model": "a@1"}) == f'model = "a@1"\n\n{text}'
    text = 'note = """\nmodel = "inside"\n"""\nmodel = "old"\n'
    assert with_values(text, {"model": "a@1"}) == text.replace('"old"', '"a@1"')


def test_line_ends_of_windows_stay() -> None:
    assert with_values("a = 1\r\n\r\n[t]\r\n", {"model": "a@1"}) == (
        'a = 1\r\nmodel = "a@1"\r\n\r\n[t]\r\n'
    )


@given(
    st.lists(
        st.sampled_from(
            ["# note", "", "a = 1", "b = [\n  1, # one\n]", 'c = """\n[x]\nd = 1\n"""',
             "'model' = 'odd'", "model='m'", '"e f".g = 2', "[t]", "[[u]]", 'model = "t"', "h = 1"]
        )
    ),
    st.sampled_from(["new@2", None]),
)  # fmt: skip
def test_whatever_the_file_one_value_changes(lines: list[str], value: str | None) -> None:
    text = "\n".join(lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    after = tomllib.loads(with_values(text, {"model": value}))
    assert after.pop("model", None) == value
    before.pop("model", None)
    assert after == before


def test_the_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    place, link = tmp_path / "real.toml", tmp_path / "gpupipe.toml"
    place.write_text(WHOLE)
    place.chmod(0o640)
    link.symlink_to(place)
    set_values(link, {"model": "new@2"})
    assert link.is_symlink()
    assert "new@2" in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o640
    set_values(tmp_path / "made.toml", {"model": "new@2"})
    assert (tmp_path / "made.toml").read_text() == 'model = "new@2"\n'
    assert {path.name for path in tmp_path.iterdir()} == {"real.toml", "gpupipe.toml", "made.toml"}


def test_every_form_of_a_key_and_of_a_table_is_edited() -> None:
    assert with_values("'model' = 'odd' # why\n", {"model": "a@1"}) == "'model' = \"a@1\" # why\n"
    text = 'gpu_inference = { cpu = "8" }\n'
    assert tomllib.loads(with_values(text, {"gpu_inference.memory": "32Gi"})) == {
        "gpu_inference": {"cpu": "8", "memory": "32Gi"}
    }


def test_what_cannot_be_edited_is_said_with_the_line_to_write(tmp_path: Path) -> None:
    path = tmp_path / "gpupipe.toml"
    for text in ("no toml", "gpu_inference = 1\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="cannot set") as caught:
            set_values(path, {"gpu_inference.cpu": "8"})
        assert 'gpu_inference.cpu = "8"' in caught.value.resolution
        assert path.read_text() == text
