"""The table of methods: verb, path, name, permission, and how a request finds its row.

Paths are matched as they were sent, before percent-decoding: an object name may contain "/".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gpupipe.localcloud.services.storage import decoding
from gpupipe.localcloud.services.storage.message import Download, Inbound, Reply
from gpupipe.localcloud.services.storage.partial import select
from gpupipe.localcloud.services.storage.refusals import (
    StorageError,
    bad_request,
    not_emulated,
    required,
)

Handler = Callable[[Inbound], Reply | Download]
# parameters that every method takes and that change nothing that is emulated
_COMMON = frozenset(
    {"alt", "fields", "key", "prettyPrint", "projection", "quotaUser", "userIp", "uploadType"}
)
# parameters of what is not emulated, which clients send also where they do not ask for it
_OFF = frozenset({"enableObjectRetention"})
_REFUSED_HEADERS = ("x-goog-encryption-", "x-goog-copy-source-encryption-")
# the folders under which methods are reached, longest first
_ROOTS = (
    "/resumable/upload/storage/v1",
    "/download/storage/v1",
    "/upload/storage/v1",
    "/storage/v1",
)


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API; an empty permission lets any signed-in caller use it."""

    verb: str
    template: str
    name: str
    permission: str
    handler: Handler
    query: frozenset[str] = frozenset()
    root: str = "/storage/v1"
    writes: bool = False
    required: frozenset[str] = frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        """The template's parts; those in braces are parameters."""
        return tuple(self.template.strip("/").split("/"))


@dataclass(frozen=True, slots=True)
class Match:
    """A row and the decoded parameters of the path and of the query, where they may repeat."""

    method: Method
    path: Mapping[str, str]
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, str]:
        """The query with the last value of each parameter."""
        return {name: values[-1] for name, values in self.repeated.items()}


class Routes:
    """Finds the row of a request."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._methods = tuple(methods)

    @property
    def names(self) -> frozenset[str]:
        """The names of all methods."""
        return frozenset(method.name for method in self._methods)

    def permissions(self) -> Iterator[tuple[str, str]]:
        """Each method's name with its permission."""
        return ((method.name, method.permission) for method in self._methods)

    def match(self, verb: str, raw_path: bytes, raw_query: bytes) -> Match:
        """The row for a path as sent; a path or verb that has none is refused by name.

        400 for what is not UTF-8, and for a query without a parameter that the method requires.
        """
        root, parts = _split(decoding.raw_text(raw_path))
        for method in self._methods:
            if method.verb != verb or method.root != root:
                continue
            found = _bind(method.parts, parts)
            if found is not None:
                match = Match(method, found, decoding.query(raw_query))
                _check_required(match)
                return match
        raise not_emulated(f"{verb} {root}/{'/'.join(parts[:1] + _skeleton(parts))}")


def check_parameters(method: Method, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Refuse what would change the meaning of a call and is not emulated."""
    for name in query.keys() - method.query - _COMMON:
        if query[name] != "" and not (name in _OFF and query[name].lower() == "false"):
            raise not_emulated(f"the parameter '{name}' of {method.name}")
    if mask := query.get("fields"):
        select(mask, {})
    if query.get("projection", "noAcl") not in {"noAcl", "full"}:
        raise bad_request(f"Invalid value for projection: '{query['projection']}'.")
    for header in headers:
        if header.startswith(_REFUSED_HEADERS):
            raise not_emulated(f"customer-supplied encryption keys (header {header})")


def _check_required(match: Match) -> None:
    query = match.query
    for name in match.method.required:
        if not query.get(name):
            raise required(name)


def _split(raw_path: str) -> tuple[str, tuple[str, ...]]:
    for root in _ROOTS:
        if raw_path.startswith(root + "/"):
            rest = raw_path[len(root) + 1 :]
            plain = "/upload/storage/v1" if root.startswith("/resumable") else root
            return plain, tuple(rest.split("/"))
    raise StorageError(404, "notFound", "Not Found")


def _bind(template: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    if len(template) != len(parts):
        return None
    found: dict[str, str] = {}
    for wanted, part in zip(template, parts, strict=True):
        if wanted.startswith("{"):
            if not part:
                return None
            found[wanted[1:-1]] = decoding.part(part)
        elif wanted != part:
            return None
    return found


def _skeleton(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path after its first part with the names left out."""
    return tuple(part if index % 2 else "*" for index, part in enumerate(parts[1:]))
