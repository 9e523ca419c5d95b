"""JSON and JSON Lines as items.

Contract: a .json is a string, an object with `text`, a list of these, or {"instances": [...]} with
such a list; its row is the place in the list, from 1. A .jsonl has one of these on each line that is not
blank; only a line feed ends a line, and a line that cannot be read is an error of that line alone.
"""

import codecs
import json
from collections.abc import Iterator

from common.fields import parse_json
from common.items import InputItem
from common.problems import ProblemError
from preprocess.limits import Limits
from preprocess.text import decode_text, kind_of
from preprocess.values import bad, item_of_value

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def json_items(data: bytes, _limits: Limits) -> Iterator[InputItem]:
    """The items of a JSON document. Raises a ProblemError 422 where it is none."""
    text = decode_text(data)
    if not text.strip():
        raise ProblemError(422, "empty_input", "the object holds no text")
    values = _values(_parsed(text))
    for number, value in enumerate(values):
        yield item_of_value(number, number + 1, value)


def _parsed(text: str) -> object:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        # The decoder's own message may quote the text.
        message = f"the object is not JSON: see line {error.lineno}, column {error.colno}"
        details = {"line": error.lineno, "column": error.colno}
        raise ProblemError(422, "invalid_json", message, details=details) from None
    except ValueError as error:
        nested = "nested" in str(error)
        other = "it holds NaN, Infinity or a number of thousands of digits"
        reason = "it is nested too deeply" if nested else other
        raise ProblemError(422, "invalid_json", f"the object is not JSON: {reason}") from None


def _values(document: object) -> list[object]:
    if isinstance(document, dict) and isinstance(document.get("instances"), list):
        document = document["instances"]
    if isinstance(document, list):
        if not document:
            raise ProblemError(422, "empty_input", "the list in the object is empty")
        return document
    if isinstance(document, str) or (isinstance(document, dict) and "text" in document):
        return [document]
    message = (
        'the JSON holds no texts: a string, an object with "text", a list of these or '
        '{"instances": [...]} is taken'
    )
    raise ProblemError(422, "no_text", message)


def jsonl_items(data: bytes, _limits: Limits) -> Iterator[InputItem]:
    """The items of a JSON Lines file."""
    if kind := kind_of(data):
        raise ProblemError(422, "binary_input", f"the object is {kind}, not text")
    if data.startswith(_UTF16_MARKS):
        data = decode_text(data).encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    number = 0
    for row, line in enumerate(_lines(data), 1):
        if line.strip():
            yield _item_of_line(number, row, line)
            number += 1


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


def _item_of_line(number: int, row: int, line: bytes) -> InputItem:
    try:
        value = parse_json(line)
    except UnicodeDecodeError:
        return InputItem(str(number), bad("undecodable_text", "the line is not UTF-8"), row)
    except ValueError:
        return InputItem(str(number), bad("invalid_json", "the line is not JSON"), row)
    return item_of_value(number, row, value)
