"""Items into chunks of a bounded number of items and bytes, as JSON Lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.jsonl import encode_lines

MAX_ITEMS = 1000
# About as much English as the 256 windows that a CPU scores well within a request's time.
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """The content of one chunk object."""

    data: bytes
    items: int


def chunks(
    texts: Iterable[str], *, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES
) -> Iterator[Chunk]:
    """Numbers the items from "0" and groups them; an item larger than `max_bytes` is alone."""
    lines: list[bytes] = []
    size = 0
    for number, text in enumerate(texts):
        line = encode_lines([{"id": str(number), "text": text}])
        if lines and (len(lines) == max_items or size + len(line) > max_bytes):
            yield Chunk(b"".join(lines), len(lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield Chunk(b"".join(lines), len(lines))
