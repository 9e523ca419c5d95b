"""One item of an input, as it travels from preprocess to gpu-inference.

Contract: a record has an `id` (the user's, or the item's number), a `row` where the input has
rows, and one of `text`, `image` (base64 of a PNG) and `error` ({"code", "message"}: the item could
not be read, the others go on).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from common.problems import JsonObject, ProblemError

Content = str | bytes | ProblemError
"""A text, the bytes of a picture, or why there is neither."""


@dataclass(frozen=True, slots=True)
class InputItem:
    """An item with its id and the row of the input that it was read from."""

    identity: str
    content: Content
    row: int | None = None

    def key(self) -> JsonObject:
        """What tells it from the others, in every record about it."""
        return {"id": self.identity} | ({} if self.row is None else {"row": self.row})

    def to_json(self) -> JsonObject:
        """The record."""
        if isinstance(self.content, str):
            return {**self.key(), "text": self.content}
        if isinstance(self.content, bytes):
            return {**self.key(), "image": base64.b64encode(self.content).decode("ascii")}
        return {**self.key(), "error": item_error(self.content)}


def item_error(problem: ProblemError) -> JsonObject:
    """Why an item has no scores."""
    return {"code": problem.code, "message": problem.message}


def item_of(record: Mapping[str, object]) -> InputItem | None:
    """The item of a record; None where it is none."""
    identity, row = record.get("id"), record.get("row")
    if not isinstance(identity, str) or not (row is None or isinstance(row, int)):
        return None
    content = _content(record)
    return None if content is None else InputItem(identity, content, row)


def _content(record: Mapping[str, object]) -> Content | None:
    text, image, error = (record.get(name) for name in ("text", "image", "error"))
    if isinstance(text, str):
        return text
    if isinstance(image, str):
        try:
            return base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError):
            return None
    if isinstance(error, dict):
        return ProblemError(422, str(error.get("code")), str(error.get("message")))
    return None
