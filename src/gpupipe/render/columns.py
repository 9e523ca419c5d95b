"""Rows in columns, each on one line: a name stays whole and can be copied in any window."""

from collections.abc import Sequence

from rich.text import Text

from gpupipe.render.console import spelled

Cell = str | Text
_GAP = "  "


def columns(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Text]:
    """The head, then each row, as lines. A title that begins with ">" puts its column to the right.

    Cells are taken word for word. The last column is as long as it needs to be.
    """
    titles: list[Cell] = [Text(title.removeprefix(">"), style="bold") for title in head]
    table = [[_text(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(cell.cell_len for cell in column) for column in zip(*table, strict=True)]
    right = [title.startswith(">") for title in head]
    return [_line(row, widths, right) for row in table]


def _line(row: Sequence[Text], widths: Sequence[int], right: Sequence[bool]) -> Text:
    line = Text()
    for cell, width, to_the_right in zip(row, widths, right, strict=True):
        pad = " " * (width - cell.cell_len)
        for part in (pad, cell) if to_the_right else (cell, pad):
            line.append(part)
        line.append(_GAP)
    line.rstrip()
    return line


def _text(cell: Cell) -> Text:
    return Text(spelled(cell)) if isinstance(cell, str) else cell
