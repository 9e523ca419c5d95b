"""CRC32C and MD5 of object data, kept while it streams, and compared with what was sent."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import google_crc32c

from gpupipe.localcloud.services.storage.refusals import bad_request

_NAMES = {"crc32c": "CRC32C", "md5": "MD5 hash"}


@dataclass(frozen=True, slots=True)
class Digest:
    """Base64 checksums as the API writes them; composed objects have no MD5."""

    size: int
    crc32c: str
    md5: str | None


class Hasher:
    """Running checksums of one stream."""

    def __init__(self) -> None:
        self.size = 0
        self._crc = 0
        # a checksum of Cloud Storage, not a safeguard
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(data)
        self._crc = google_crc32c.extend(self._crc, data)
        self._md5.update(data)

    def digest(self, *, composite: bool = False) -> Digest:
        """The checksums so far."""
        crc = base64.b64encode(self._crc.to_bytes(4, "big")).decode()
        md5 = None if composite else base64.b64encode(self._md5.digest()).decode()
        return Digest(self.size, crc, md5)


def sent(metadata: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that a client sent, by kind, from metadata and headers."""
    given: dict[str, str] = {}
    for item in headers.get("x-goog-hash", "").split(","):
        kind, _, value = item.strip().partition("=")
        if kind in _NAMES:
            given[kind] = value
    named = (
        ("md5", headers.get("content-md5")),
        ("crc32c", metadata.get("crc32c")),
        ("md5", metadata.get("md5Hash")),
    )
    return given | {kind: str(checksum) for kind, checksum in named if checksum}


def verify(given: Mapping[str, str], digest: Digest) -> None:
    """Raise 400 when a checksum that was sent is not that of the data."""
    actual = {"crc32c": digest.crc32c, "md5": digest.md5}
    for kind, value in given.items():
        if actual[kind] is not None and value != actual[kind]:
            name = _NAMES[kind]
            raise bad_request(
                f'Provided {name} "{value}" doesn\'t match calculated {name} "{actual[kind]}".'
            )
