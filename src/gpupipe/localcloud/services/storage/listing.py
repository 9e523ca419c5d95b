"""Lists of objects: pages, prefixes by delimiter, offsets, versions."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.services.storage.globs import compiled
from gpupipe.localcloud.services.storage.message import Inbound
from gpupipe.localcloud.services.storage.refusals import bad_request
from gpupipe.localcloud.services.storage.rows import State, Version
from gpupipe.localcloud.store.paging import opened, sealed

_MAX_RESULTS = 1000
# What of a query may be another for the next page of a list.
_OF_A_PAGE = frozenset({"maxResults", "pageToken", "fields", "prettyPrint", "alt", "userProject"})
_BATCH = 256
# sorts after every text with the same beginning
_LAST = "\U0010ffff"
Position = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shall hold; `start` is inclusive, `end` is not. asked: as of `asked`."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str | None = None
    trailing: bool = False
    limit: int = _MAX_RESULTS
    position: Position = ("", 0)
    states: tuple[State, ...] = (State.LIVE,)
    glob: re.Pattern[str] | None = None
    asked: bytes = b""

    def meets(self, name: str) -> bool:
        """Whether a name is asked for at all."""
        return self.glob is None or self.glob.fullmatch(name) is not None

    @property
    def first(self) -> Position:
        """The first (name, generation) that can be in the page."""
        return max(self.position, (max(self.prefix, self.start), 0))

    @property
    def until(self) -> str | None:
        """The name before which the list ends."""
        ends = [end for end in (self.end, self.prefix and self.prefix + _LAST) if end]
        return min(ends, default=None)


@dataclass(slots=True)
class Listing:
    """One page: objects, then prefixes, and the token of the next page ('' at the end)."""

    items: list[Version] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_token: str = ""


Scan = Callable[[Position, int], list[Version]]


def query_of(request: Inbound) -> Query:
    """The query parameters of objects.list."""
    if request.flag("versions") and request.flag("softDeleted"):
        raise bad_request("versions and softDeleted cannot both be true.")
    glob, delimiter = request.query.get("matchGlob", ""), request.query.get("delimiter", "")
    if glob and delimiter not in {"", "/"}:
        raise bad_request("With matchGlob, the delimiter can only be '/'.")
    return Query(
        prefix=request.query.get("prefix", ""),
        delimiter=delimiter,
        start=request.query.get("startOffset", ""),
        end=request.query.get("endOffset") or None,
        trailing=request.flag("includeTrailingDelimiter"),
        limit=limit_of(request),
        position=_position(token_of(request)),
        states=_states(request),
        glob=compiled(glob) if glob else None,
        asked=asked(request),
    )


def limit_of(request: Inbound) -> int:
    """How many results a page holds at most."""
    wanted = request.integer("maxResults")
    if wanted is not None and wanted < 0:
        raise bad_request("Invalid value for maxResults: it must not be negative.")
    return min(wanted or _MAX_RESULTS, _MAX_RESULTS)


def asked(request: Inbound) -> bytes:
    """Which list a request is for, whatever the page: the path and the query."""
    query = {name: value for name, value in request.query.items() if name not in _OF_A_PAGE}
    return json.dumps([dict(request.path), query], sort_keys=True).encode()


def token_of(request: Inbound) -> str:
    """The page token of this list ('' for the first page); 400 for one of another."""
    try:
        return opened(request.query.get("pageToken", ""), asked(request))
    except ServiceError as error:
        raise _bad_token() from error


def collect(query: Query, scan: Scan) -> Listing:
    """One page; `scan(position, limit)` gives versions in order from a position on."""
    page = Listing()
    position = query.first
    while batch := scan(position, _BATCH):
        for version in batch:
            here = (version.name, version.generation)
            if here < position or not query.meets(version.name):
                continue
            folder = _folder(version.name, query)
            if len(page.items) + len(page.prefixes) >= query.limit:
                page.next_token = sealed(_token(here), query.asked)
                return page
            position = _take(page, version, folder, query)
        position = max(position, (batch[-1].name, batch[-1].generation + 1))
    return page


def _take(page: Listing, version: Version, folder: str | None, query: Query) -> Position:
    if folder is None:
        page.items.append(version)
        return version.name, version.generation + 1
    page.prefixes.append(folder)
    if query.trailing and version.name == folder:
        page.items.append(version)
    # nothing below a folder is listed, so the scan goes on behind it
    return folder + _LAST, 0


def _folder(name: str, query: Query) -> str | None:
    if not query.delimiter:
        return None
    rest = name[len(query.prefix) :]
    found = rest.find(query.delimiter)
    if found < 0:
        return None
    return query.prefix + rest[: found + len(query.delimiter)]


def _states(request: Inbound) -> tuple[State, ...]:
    if request.flag("softDeleted"):
        return (State.SOFT_DELETED,)
    if request.flag("versions"):
        return (State.LIVE, State.NONCURRENT)
    return (State.LIVE,)


def _token(position: Iterable[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(position)).encode()).decode()


def _position(token: str) -> Position:
    if not token:
        return "", 0
    try:
        name, generation = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError) as error:
        raise _bad_token() from error
    return str(name), int(generation)


def _bad_token() -> ServiceError:
    return bad_request("Invalid value for pageToken.")
