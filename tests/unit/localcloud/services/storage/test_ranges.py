"""Byte ranges of downloads and of resumable chunks."""

import pytest

from gpupipe.localcloud.services.storage.ranges import Chunk, Span, content_range, requested
from gpupipe.localcloud.services.storage.refusals import StorageError


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-4", Span(2, 3)),
        ("bytes=5-", Span(5, 5)),
        ("bytes=8-100", Span(8, 2)),
        ("bytes=-3", Span(7, 3)),
        ("bytes=-100", Span(0, 10)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
    ],
)
def test_range_of_ten_bytes(header: str | None, expected: Span | None) -> None:
    assert requested(header, 10) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 5)])
def test_nothing_to_serve_is_416(header: str, size: int) -> None:
    with pytest.raises(StorageError) as refusal:
        requested(header, size)
    assert refusal.value.status == 416


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Chunk(0, None, None)),
        ("bytes 0-9/10", Chunk(0, 10, 10)),
        ("bytes 5-9/*", Chunk(5, 5, None)),
        ("bytes 5-*/10", Chunk(5, None, 10)),
        ("bytes 0-*/*", Chunk(0, None, None)),
        ("bytes */10", Chunk(None, 0, 10)),
        ("bytes */*", Chunk(None, 0, None)),
        ("bytes */0", Chunk(None, 0, 0)),
    ],
)
def test_content_range(header: str | None, expected: Chunk) -> None:
    assert content_range(header) == expected


@pytest.mark.parametrize("header", ["bytes 9-0/10", "bytes 0-10/10", "bytes 0-9", "0-9/10"])
def test_content_range_that_makes_no_sense_is_refused(header: str) -> None:
    with pytest.raises(StorageError, match="Content-Range"):
        content_range(header)
