"""Which input formats there are and how each becomes items.

Contract: a suffix (in any case) names its format in FORMATS: the limit of its size and a function from
the object's bytes to its items. Adding a format is adding one line to the table. What a file
holds is checked against its suffix: nothing is guessed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from common.fields import is_blank
from common.images import decode_picture, encode_picture
from common.items import InputItem
from common.problems import ProblemError
from preprocess.csv_items import csv_items
from preprocess.json_items import json_items, jsonl_items
from preprocess.limits import Limits
from preprocess.text import JPEG, PNG, decode_text, kind_of

Read = Callable[[bytes, Limits], Iterator[InputItem]]


@dataclass(frozen=True, slots=True)
class Format:
    """How objects of one type are read; `limit` gives the bytes that they may have."""

    read: Read
    limit: Callable[[Limits], int]


def _whole_document(data: bytes, _limits: Limits) -> Iterator[InputItem]:
    text = decode_text(data)
    if is_blank(text):
        raise ProblemError(422, "empty_input", "the object holds no text")
    yield InputItem("0", text)


def _picture(data: bytes, limits: Limits) -> Iterator[InputItem]:
    if not data.startswith((PNG, JPEG)):
        kind = kind_of(data) or "of another kind"
        raise ProblemError(422, "not_an_image", f"the object is {kind}, not a PNG or JPEG picture")
    yield InputItem("0", encode_picture(decode_picture(data, limits.image_pixels)))


_DOCUMENT = Format(_whole_document, lambda limits: limits.text_bytes)
_PICTURE = Format(_picture, lambda limits: limits.image_bytes)
FORMATS: Mapping[str, Format] = {
    ".txt": _DOCUMENT,
    ".md": _DOCUMENT,
    ".json": Format(json_items, lambda limits: limits.text_bytes),
    ".jsonl": Format(jsonl_items, lambda limits: limits.table_bytes),
    ".csv": Format(csv_items, lambda limits: limits.table_bytes),
    ".jpg": _PICTURE,
    ".jpeg": _PICTURE,
    ".png": _PICTURE,
}


def format_of(name: str) -> Format:
    """How objects of that name are read. Raises a ProblemError 415 that names the suffixes."""
    suffix = PurePosixPath(name).suffix.lower()
    found = FORMATS.get(suffix)
    if found is None:
        supported = sorted(FORMATS)
        raise ProblemError(
            415,
            "unsupported_type",
            f"""objects {f'of type "{suffix}"' if suffix else "without a suffix"} are not supported; """
            f"supported are {', '.join(supported)}",
            details={"suffix": suffix, "supported": supported},
        )
    return found


def usable(items: Iterator[InputItem], most: int) -> Iterator[InputItem]:
    """The items, at most `most` of them, of which one at least can be scored.

    Raises a ProblemError 413, or a 422 that tells what is wrong with the first one.
    """
    first: InputItem | None = None
    good = count = 0
    for item in items:
        count += 1
        if count > most:
            message = f"the object has more than {most} items; split it"
            raise ProblemError(413, "too_many_items", message, details={"limit": most})
        if isinstance(item.content, ProblemError):
            first = first or item
        else:
            good += 1
        yield item
    if not count:
        raise ProblemError(422, "empty_input", "the object holds no items")
    if not good and first is not None and isinstance(first.content, ProblemError):
        message = f"none of the {count} items can be used; the first: {first.content.message}"
        details = {"items": count, "row": first.row, "first": first.content.code}
        raise ProblemError(422, "no_usable_item", message, details=details)
