"""CSV as items.

Contract: where the first row names a column `text` (the setting's name, in any case), that column
holds the texts and a column `id` the ids; the file may then be separated by commas, semicolons, tabs
or bars, whichever shows that column. Two columns of such a name are refused. Without such a row every
row is one text and must be one cell. Rows whose cells are all blank are no items. Quoting is read
strictly: a row after a broken quote cannot be trusted, so the whole file is refused with the line. A
row is named by the line on which it begins.
"""

import csv
import io
from collections.abc import Iterator

from common.items import InputItem
from common.problems import ProblemError
from preprocess.limits import Limits
from preprocess.text import decode_text
from preprocess.values import bad, checked, identified

_SEPARATORS = (",", ";", "\t", "|")
_ID_COLUMN = "id"
# What the csv module says, in words that help; they quote nothing of the file.
_REASONS = {
    "unexpected end of data": "a quote is opened there and never closed",
    "field larger than field limit": "a cell has more than 131,072 characters",
    "expected after": "something follows the quote that closes a cell",
}
Row = tuple[int, list[str]]


def csv_items(data: bytes, limits: Limits) -> Iterator[InputItem]:
    """The items of a table. Raises a ProblemError 422 where it is none."""
    text = decode_text(data)
    skipped, separators = _told_separator(text)
    for separator in separators:
        names = _first_names(text, separator, skipped)
        if limits.text_column.lower() in names:
            return _with_header(_rows(text, separator, skipped), names, limits.text_column.lower())
    return _one_column(_rows(text, separators[0], skipped), limits.text_column)


def _told_separator(text: str) -> tuple[int, tuple[str, ...]]:
    """Lines to skip, and what separates: spreadsheets write `sep=;` as a first line."""
    line = text[:16].splitlines()[0] if text.strip() else ""
    if line.lower().startswith("sep=") and len(line) == len("sep=?"):
        return 1, (line[-1],)
    return 0, _SEPARATORS


def _first_names(text: str, separator: str, skipped: int) -> list[str]:
    try:
        _, cells = next(_rows(text, separator, skipped))
    except (StopIteration, ProblemError):
        return []  # a broken file is refused when it is read by the one separator that is left
    return [cell.strip().lower() for cell in cells]


def _rows(text: str, separator: str, skipped: int) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            told = (words for part, words in _REASONS.items() if part in str(error))
            reason = next(told, "its quotes are broken")
            message = f"the table cannot be read from the row on line {line} on: {reason}"
            raise ProblemError(422, "broken_csv", message, details={"line": line}) from None
        if line > skipped and any(cell.strip() for cell in cells):
            yield line, cells


def _with_header(rows: Iterator[Row], names: list[str], column: str) -> Iterator[InputItem]:
    line, _ = next(rows)
    for name in (column, _ID_COLUMN):
        if names.count(name) > 1:
            message = f"{names.count(name)} columns are named {name}; name one of them so"
            raise ProblemError(422, "two_columns_of_a_name", message, details={"line": line})
    text_at = names.index(column)
    id_at = names.index(_ID_COLUMN) if _ID_COLUMN in names and column != _ID_COLUMN else None
    for number, (line, cells) in enumerate(rows):
        if len(cells) != len(names):
            message = (
                f"the row has {len(cells)} cells, the first one {len(names)}: "
                "a text that holds the separator must be in quotes"
            )
            yield InputItem(str(number), bad("wrong_number_of_cells", message), line)
            continue
        identity = None if id_at is None else cells[id_at].strip()
        yield identified(number, line, identity, checked(cells[text_at]))


def _one_column(rows: Iterator[Row], column: str) -> Iterator[InputItem]:
    for number, (line, cells) in enumerate(rows):
        if len(cells) != 1:
            message = (
                f"the row on line {line} has {len(cells)} cells and no column is named {column}: "
                f"name the column of the texts {column} in the first row; in a table of one column "
                "put texts that hold a comma in quotes"
            )
            details = {"line": line, "cells": len(cells)}
            raise ProblemError(422, "no_text_column", message, details=details)
        yield InputItem(str(number), checked(cells[0]), line)
