"""docs/reference/output.md has the shape of every document, and tests of every command compare it with theirs.

Each run of the installed command by `tests.e2e` compares what it prints; here is shown that none is left out.
"""

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from tests.support.documents import ROOT
from tests.support.shapes import faults, read, shapes

from gpupipe.app import build

_SCHEMA = re.compile(r"gpupipe\.[a-z-]+/\d")
SHAPELESS = {("local", "env")}
"""Made for other programs, see its section."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of each command that has --output."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*path, name))
    if any("--output" in getattr(option, "opts", ()) for option in command.params):
        yield path


def runs() -> Iterator[list[str]]:
    """The words before the first option of each call in tests.e2e that asks for JSON."""
    for file in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                words = [
                    str(one.value) if isinstance(one, ast.Constant) else "-" for one in call.args
                ]
                if "json" in words:
                    yield list(takewhile(lambda word: not word.startswith("-"), words))


def test_every_command_is_asked_for_json_by_a_test_that_compares_it() -> None:
    asked = list(runs())
    left = [
        " ".join(path)
        for path in commands(build())
        if path not in SHAPELESS and list(path) not in [words[: len(path)] for words in asked]
    ]
    assert left == []


def test_the_page_has_the_schemas_that_there_are() -> None:
    sources = (ROOT / "src" / "gpupipe").rglob("*.py")
    used = {one for file in sources for one in _SCHEMA.findall(file.read_text(encoding="utf-8"))}
    assert set(shapes()) == used


def test_a_difference_is_seen_both_ways() -> None:
    error = dict.fromkeys(("brief", "resource", "details", "resolution", "doc", "exit_code"), "")
    good = {"schema": "gpupipe.error/1", "error": error}
    assert faults(good) == []
    assert faults({**good, "more": 1}) == ["gpupipe.error/1 has more besides"]
    del error["doc"]
    assert faults(good) == ["gpupipe.error/1.error lacks doc"]
    assert faults({"schema": "gpupipe.error/1", "error": [1]}) == [
        "gpupipe.error/1.error is no object"
    ]
    assert faults({"schema": "gpupipe.local-logs/1", "lines": [{}]}) == [
        "gpupipe.local-logs/1.lines[] is no plain value"
    ]
    assert faults({"schema": "gpupipe.local-logs/1", "lines": 1}) == [
        "gpupipe.local-logs/1.lines is no list"
    ]
    assert len(faults({"schema": "gpupipe.none/1"})) == 1


def test_a_block_is_read_as_it_says() -> None:
    text = 'x = "d?",\n  "*"\ny = {<x>}\n{"schema": "a/1", "b", "c": [<y>],\n "e": …}\n{"f": {"*": []}}'
    assert list(read(text)) == [
        {"schema": "a/1", "b": None, "c": [{"d?": None, "*": None}], "e": "…"},
        {"f": {"*": []}},
    ]
