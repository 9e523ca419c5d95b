"""Items into chunks of a bounded number of items and bytes, as JSON Lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.items import InputItem
from common.jsonl import encode_lines
from common.problems import ProblemError

MAX_ITEMS = 1000
# About as much English as the 256 windows that a CPU scores well within a request's time.
MAX_BYTES = 256 * 1024
# A workflow holds 512 KB in all, and about 600 bytes of references for each chunk.
MAX_CHUNKS = 500


@dataclass(frozen=True, slots=True)
class Chunk:
    """The content of one chunk object."""

    data: bytes
    items: int


def chunks(
    items: Iterable[InputItem], *, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES
) -> Iterator[Chunk]:
    """Groups the items in their order; an item larger than `max_bytes` is alone."""
    lines: list[bytes] = []
    size = 0
    for item in items:
        line = encode_lines([item.to_json()])
        if lines and (len(lines) == max_items or size + len(line) > max_bytes):
            yield Chunk(b"".join(lines), len(lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield Chunk(b"".join(lines), len(lines))


def bounded(parts: Iterable[Chunk], most: int = MAX_CHUNKS) -> list[Chunk]:
    """All chunks of an input. Raises a ProblemError 413 where a workflow could not hold them."""
    found: list[Chunk] = []
    for part in parts:
        if len(found) == most:
            message = f"the items of the object fill more than {most} chunks of {MAX_BYTES} bytes"
            raise ProblemError(413, "input_too_large", message, details={"chunk_limit": most})
        found.append(part)
    return found
