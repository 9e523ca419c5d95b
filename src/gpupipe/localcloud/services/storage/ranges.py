"""Byte ranges: `Range` of downloads and `Content-Range` of resumable uploads."""

import re
from dataclasses import dataclass

from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,19})-([0-9]{1,19}|\*)|\*)/([0-9]{1,19}|\*)")


class RangeError(StorageError):
    """Nothing of the range is there; clients read the size of the object from Content-Range."""

    def __init__(self, size: int) -> None:
        message = "The requested range cannot be satisfied."
        super().__init__(416, "requestedRangeError", message)
        self.headers = {"Content-Range": f"bytes */{size}"}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `start + length`."""

    start: int
    length: int


def requested(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for; None for the whole object.

    A header that is not one range of bytes is ignored, as HTTP says; 416 when nothing overlaps.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        length = min(int(last), size - 1) - start + 1 if last else size - start
    if length <= 0 or start >= size:
        raise RangeError(size)
    return Span(start, length)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a resumable upload; `start` None is a question, `total` None is not known yet.

    `length` None is all that the request has, which ends the upload where no total is known.
    """

    start: int | None
    length: int | None
    total: int | None


def content_range(header: str | None) -> Chunk:
    """What a PUT of a resumable session carries; without a header it is the whole object."""
    if header is None:
        return Chunk(0, None, None)
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise bad_request(f"Failed to parse Content-Range header: {header}")
    first, last, total = match.groups()
    size = None if total == "*" else int(total)
    if first is None:
        return Chunk(None, 0, size)
    start = int(first)
    if last == "*":
        return Chunk(start, None, size)
    end = int(last)
    if end < start or (size is not None and end >= size):
        raise bad_request(f"Failed to parse Content-Range header: {header}")
    return Chunk(start, end - start + 1, size)
