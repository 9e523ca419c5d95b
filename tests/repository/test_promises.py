"""The table of promises: its states, its last line, and that it fits the tags of this tree."""

from pathlib import Path

import pytest
from scripts import promises

TABLE = {
    "readme": {"1": "One", "2": "Two", "3": "Three"},
    "sources": {"S1": "Source"},
    "defects": {"D1": "Defect"},
    "replaced": {"2": "another way"},
    "planned": {"3": "later"},
    "open": {},
}


def test_each_promise_has_the_state_that_its_tests_and_the_table_give_it() -> None:
    groups = promises.promises(TABLE, {"1": ["a::b"], "2": ["c::d"]})
    states = {one.number: (one.state, one.why) for group in groups.values() for one in group}
    assert states == {
        "1": ("proven", ""),
        "2": ("replaced", "another way"),
        "3": ("planned", "later"),
        "S1": ("open", "no test proves it yet"),
        "D1": ("open", "no test proves it yet"),
    }
    assert promises.summary(groups) == "README 1+1/3, sources 0+0/1, defects 0+0/1"


def test_what_stands_in_a_promises_place_must_be_proven() -> None:
    (group, _, _) = promises.promises(TABLE, {}).values()
    assert group[1].state == "open"


def test_tags_and_reasons_of_nothing_are_faults() -> None:
    told = promises.faults(TABLE, {"155": ["a::b"], "3": ["c::d"]})
    assert told == [
        "155: a tag names no promise",
        "3: planned, but a test proves it: take it out of promises.toml",
    ]


def test_tags_are_found_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        'import pytest\n\n@pytest.mark.promise(7, "S2")\ndef test_y() -> None: ...\n'
    )
    assert promises.proofs(tmp_path / "tests") == {
        "7": ["tests/test_x.py::test_y"],
        "S2": ["tests/test_x.py::test_y"],
    }


def test_the_table_fits_this_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert promises.main([]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    parts = [part.split("/") for part in last.split(", ")]
    assert [int(total) for _, total in parts] == [154, 85, 31]
    assert [part.split()[0] for part, _ in parts] == ["README", "sources", "defects"]
