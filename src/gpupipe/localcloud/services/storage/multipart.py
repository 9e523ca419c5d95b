"""`multipart/related` uploads: a JSON part, then the data, read as a stream.

Line ends are CRLF, or bare LF as gcloud sends them; the first line tells which.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gpupipe.localcloud.services.storage.message import MAX_JSON, Json, parse_json
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Related:
    """The parts of an upload; `data` must be read to its end."""

    metadata: Json
    content_type: str | None
    data: Iterator[bytes]


def parse_related(content_type: str, body: Iterator[bytes]) -> Related:
    """Read up to the data of a multipart upload; 400 when it is not one."""
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.lower().startswith("multipart/"):
        raise bad_request("Multipart upload needs Content-Type multipart/related with a boundary.")
    boundary = b"--" + (match[1] or match[2]).strip("'").encode()
    buffer = _Buffer(body)
    buffer.until(boundary)
    newline = b"\r\n" if buffer.until(b"\n").endswith(b"\r") else b"\n"
    buffer.headers(newline)
    metadata = parse_json(buffer.until(newline + boundary))
    buffer.until(b"\n")
    headers = buffer.headers(newline)
    return Related(metadata, headers.get("content-type"), buffer.stream(newline + boundary))


class _Buffer:
    """Bytes that have arrived and are not used yet."""

    def __init__(self, body: Iterator[bytes]) -> None:
        self._body = body
        self._held = b""

    def until(self, mark: bytes) -> bytes:
        """The bytes before `mark`, which is dropped."""
        while (found := self._held.find(mark)) < 0:
            if len(self._held) > MAX_JSON:
                raise bad_request("The metadata of the request is larger than 1 MiB.")
            self._held += self._next()
        taken, self._held = self._held[:found], self._held[found + len(mark) :]
        return taken

    def headers(self, newline: bytes) -> dict[str, str]:
        """The header lines of a part, up to its empty line."""
        found: dict[str, str] = {}
        while line := self.until(newline).strip():
            key, _, value = line.decode("latin-1").partition(":")
            found[key.strip().lower()] = value.strip()
        return found

    def stream(self, mark: bytes) -> Iterator[bytes]:
        """The data before `mark`; what might be the mark's beginning is held back."""
        while (found := self._held.find(mark)) < 0:
            safe = len(self._held) - len(mark) + 1
            if safe > 0:
                yield self._held[:safe]
                self._held = self._held[safe:]
            self._held += self._next()
        if found:
            yield self._held[:found]
        for _ in self._body:
            continue

    def _next(self) -> bytes:
        chunk = next(self._body, None)
        if chunk is None:
            raise _cut_off()
        return chunk


def _cut_off() -> StorageError:
    return bad_request("The multipart body ends before its closing boundary.", "badRequest")
