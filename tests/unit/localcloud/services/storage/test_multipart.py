"""Multipart uploads arrive in any pieces, with CRLF or bare LF."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.localcloud.services.storage.multipart import parse_related
from gpupipe.localcloud.services.storage.refusals import StorageError


def body(data: bytes, newline: bytes = b"\r\n") -> bytes:
    lines = (
        *(b"--sep", b"content-type: application/json; charset=UTF-8", b"", b'{"name": "o"}'),
        *(b"--sep", b"content-type: text/plain", b"", data, b"--sep--"),
    )
    return newline.join(lines)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@given(st.binary(max_size=200), st.integers(1, 70), st.sampled_from([b"\r\n", b"\n"]))
def test_data_comes_out_as_it_went_in(data: bytes, size: int, newline: bytes) -> None:
    if newline + b"--sep" in newline + data:
        return
    parts = parse_related('multipart/related; boundary="sep"', pieces(body(data, newline), size))
    assert parts.metadata == {"name": "o"}
    assert parts.content_type == "text/plain"
    assert b"".join(parts.data) == data


def test_a_carriage_return_at_the_end_of_the_data_is_data_with_bare_line_feeds() -> None:
    parts = parse_related("multipart/related; boundary=sep", iter([body(b"x\r", b"\n")]))
    assert b"".join(parts.data) == b"x\r"


def test_a_body_that_is_cut_off_is_refused() -> None:
    parts = parse_related("multipart/related; boundary=sep", iter([body(b"data")[:-9]]))
    with pytest.raises(StorageError, match="closing boundary"):
        list(parts.data)


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/related"])
def test_a_content_type_without_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(StorageError, match="boundary"):
        parse_related(content_type, iter([body(b"")]))
