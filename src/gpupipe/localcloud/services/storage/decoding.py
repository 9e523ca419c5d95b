"""Paths and queries as text: percent-encoded UTF-8, and 400 for bytes that are none.

The library's decoding puts U+FFFD for what it cannot read, which makes two names one.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request


def raw_text(data: bytes) -> str:
    """A path or a query as it was sent, its percent signs left alone."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8() from error


def part(quoted: str) -> str:
    """One part of a path, decoded."""
    try:
        return unquote(quoted, errors="strict")
    except UnicodeDecodeError as error:
        raise _not_utf8() from error


def query(raw: bytes) -> Mapping[str, tuple[str, ...]]:
    """The parameters of a query with all their values, in their order."""
    try:
        pairs = parse_qsl(raw_text(raw), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise _not_utf8() from error
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def _not_utf8() -> StorageError:
    return bad_request("The address of the request is not valid UTF-8.")
