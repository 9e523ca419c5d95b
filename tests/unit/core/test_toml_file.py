"""One key of a TOML file is set; everything else stays, byte for byte."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.core.errors import UsageError
from gpupipe.core.toml_file import set_key, with_key

WHOLE = """# my pipeline

# why so long
queue_wait = 7200 # two hours
model = "old@1"   # until the new one is there

[preprocess]
memory = "2Gi"
"""


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    assert with_key(WHOLE, "model", "new@2") == WHOLE.replace("old@1", "new@2")


def test_a_key_is_added_before_the_tables() -> None:
    without = WHOLE.replace('model = "old@1"   # until the new one is there\n', "")
    assert with_key(without, "model", "a@1") == without.replace(
        "two hours\n", 'two hours\nmodel = "a@1"\n'
    )
    assert with_key('[preprocess]\nmemory = "2Gi"', "model", "a@1") == (
        'model = "a@1"\n\n[preprocess]\nmemory = "2Gi"'
    )
    assert with_key("queue_wait = 60", "model", "a@1") == 'queue_wait = 60\nmodel = "a@1"\n'
    assert with_key("", "model", "a@1") == 'model = "a@1"\n'


def test_a_key_is_taken_out_and_one_that_is_not_there_is_no_error() -> None:
    assert with_key(WHOLE, "model", None) == WHOLE.replace(
        'model = "old@1"   # until the new one is there\n', ""
    )
    assert with_key("queue_wait = 60", "model", None) == "queue_wait = 60"


def test_only_the_top_level_counts() -> None:
    text = '[other]\nmodel = "x"\n'
    assert with_key(text, "model", "a@1") == f'model = "a@1"\n\n{text}'
    text = 'note = """\nmodel = "inside"\n"""\nmodel = "old"\n'
    assert with_key(text, "model", "a@1") == text.replace('"old"', '"a@1"')


def test_line_ends_of_windows_stay() -> None:
    assert with_key("a = 1\r\n\r\n[t]\r\n", "model", "a@1") == (
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
def test_whatever_the_file_either_one_value_changes_or_nothing(
    lines: list[str], value: str | None
) -> None:
    text = "\n".join(lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    try:
        after = tomllib.loads(with_key(text, "model", value))
    except ValueError:
        assert "'model' = 'odd'" in lines
        return
    assert after.pop("model", None) == value
    before.pop("model", None)
    assert after == before


def test_the_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    place, link = tmp_path / "real.toml", tmp_path / "gpupipe.toml"
    place.write_text(WHOLE)
    place.chmod(0o640)
    link.symlink_to(place)
    set_key(link, "model", "new@2")
    assert link.is_symlink()
    assert "new@2" in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o640
    set_key(tmp_path / "made.toml", "model", "new@2")
    assert (tmp_path / "made.toml").read_text() == 'model = "new@2"\n'
    assert {path.name for path in tmp_path.iterdir()} == {"real.toml", "gpupipe.toml", "made.toml"}


def test_what_cannot_be_edited_is_said_with_the_line_to_write(tmp_path: Path) -> None:
    path = tmp_path / "gpupipe.toml"
    path.write_text("'model' = 'odd'\n")
    with pytest.raises(UsageError) as caught:
        set_key(path, "model", "a@1")
    assert 'model = "a@1"' in caught.value.resolution
    assert path.read_text() == "'model' = 'odd'\n"
    path.write_text("no toml")
    with pytest.raises(UsageError, match="cannot be changed"):
        set_key(path, "model", "a@1")
