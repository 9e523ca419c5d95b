"""Rows in columns: word for word, whole, and in line."""

import io

from rich.console import Console
from rich.text import Text

from gpupipe.render.columns import columns
from gpupipe.render.console import say

LONG = "b" * 70 + "-[x]-:smile:"


def test_columns_stand_in_line_and_numbers_to_the_right() -> None:
    found = columns(("name", ">score", "where"), [["a", "0.5", "x"], ["b[/]", "10.25", ""]])
    assert [line.plain for line in found] == [
        "name  score  where",
        "a       0.5  x",
        "b[/]  10.25",
    ]


def test_wide_characters_take_their_room() -> None:
    found = columns(("n", "x"), [["日本", "1"], ["ab", "2"]])
    assert [line.plain for line in found] == ["n     x", "日本  1", "ab    2"]


def test_a_name_longer_than_the_window_stays_in_one_piece() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    for line in columns(("kind", "name"), [["service account", LONG]]):
        say(console, line)
    assert out.getvalue().splitlines()[1] == f"service account  {LONG}"


def test_colours_stay_with_their_cells() -> None:
    (_, line) = columns(("", ""), [[Text("create", style="green"), "x"]])
    assert [(span.start, span.end, span.style) for span in line.spans] == [(0, 6, "green")]
