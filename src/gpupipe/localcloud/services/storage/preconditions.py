"""Conditions of requests on generation, metageneration and etag, decided against what is stored."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from gpupipe.localcloud.services.storage.message import Inbound
from gpupipe.localcloud.services.storage.refusals import (
    condition_not_met,
    not_emulated,
    not_modified,
)


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a stored thing; both 0 when there is none."""

    generation: int = 0
    metageneration: int = 0

    @property
    def etag(self) -> str:
        """Changes with each change of data or metadata."""
        return base64.b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What the caller wants to be true; None (no etag) is not asked."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None
    etags: Sequence[str] = ()
    other_etags: Sequence[str] = ()

    def check_write(self, found: Versions) -> None:
        """Raise 412 unless all hold."""
        if self.etags or self.other_etags:
            raise not_emulated("If-Match and If-None-Match of writes: use generations")
        if not (self._matches(found) and self._differs(found)):
            raise condition_not_met()

    def check_read(self, found: Versions) -> None:
        """Raise 412 when a Match fails, 304 when a NotMatch does."""
        if not self._matches(found) or not _among(found.etag, self.etags, default=True):
            raise condition_not_met()
        if not self._differs(found) or _among(found.etag, self.other_etags, default=False):
            raise not_modified()

    def _matches(self, found: Versions) -> bool:
        return self.generation_match in {None, found.generation} and (
            self.metageneration_match is None
            or (found.generation != 0 and self.metageneration_match == found.metageneration)
        )

    def _differs(self, found: Versions) -> bool:
        same = self.generation_not_match == found.generation
        return not same and (
            self.metageneration_not_match is None
            or self.metageneration_not_match != found.metageneration
        )


NAMES = frozenset(
    {
        "ifGenerationMatch",
        "ifGenerationNotMatch",
        "ifMetagenerationMatch",
        "ifMetagenerationNotMatch",
        # google-cloud-storage writes it so in multipart uploads
        "ifMetaGenerationNotMatch",
    }
)
SOURCE_NAMES = frozenset(
    {
        "ifSourceGenerationMatch",
        "ifSourceGenerationNotMatch",
        "ifSourceMetagenerationMatch",
        "ifSourceMetagenerationNotMatch",
    }
)


def from_query(request: Inbound, prefix: str = "if") -> Preconditions:
    """The preconditions of a request; prefix "ifSource" for those of a copy's source."""
    not_match = request.integer(f"{prefix}MetagenerationNotMatch")
    if not_match is None:
        not_match = request.integer(f"{prefix}MetaGenerationNotMatch")
    return Preconditions(
        request.integer(f"{prefix}GenerationMatch"),
        request.integer(f"{prefix}GenerationNotMatch"),
        request.integer(f"{prefix}MetagenerationMatch"),
        not_match,
        *(() if prefix == "ifSource" else _etags(request)),
    )


def _etags(request: Inbound) -> tuple[tuple[str, ...], tuple[str, ...]]:
    match, other = (request.headers.get(name, "") for name in ("if-match", "if-none-match"))
    return _listed(match), _listed(other)


def _listed(header: str) -> tuple[str, ...]:
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in header.split(","))
    return tuple(tag for tag in tags if tag)


def _among(etag: str, tags: Sequence[str], *, default: bool) -> bool:
    return (etag in tags or "*" in tags) if tags else default
