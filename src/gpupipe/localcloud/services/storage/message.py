"""What handlers of this API take and give, independent of the HTTP library."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.services.storage.numbers import int64
from gpupipe.localcloud.services.storage.refusals import bad_request

Json = dict[str, Any]
MAX_JSON = 1 << 20
_TRUE = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Inbound:
    """One request: decoded path parameters, query, lower-case headers, the body as a stream.

    `base` is the address of the HTTP listener, for the links in answers; `repeated` has all values
    of query parameters that may come more than once.
    """

    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Iterator[bytes]
    base: str = ""
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The bucket in the path."""
        return self.path["bucket"]

    @property
    def object(self) -> str:
        """The object in the path."""
        return self.path["object"]

    def flag(self, name: str) -> bool:
        """A boolean of the query; clients send both `true` and `True`."""
        value = self.query.get(name, "false").lower()
        if value not in _TRUE:
            raise bad_request(f"Invalid boolean value: '{self.query[name]}' for {name}.")
        return _TRUE[value]

    def integer(self, name: str) -> int | None:
        """A whole number of the query, or None when it is absent."""
        value = self.query.get(name)
        if value is None:
            return None
        number = int64(value)
        if number is None:
            raise bad_request(f"Invalid value for {name}: '{value}' is not a number.")
        return number

    def json(self) -> Json:
        """The body as a JSON object ({} for an empty body)."""
        return parse_json(_bounded(self.body))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a JSON body, or none."""

    status: int = 200
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is `length` bytes of an open file from `start`; the sender closes it."""

    status: int
    headers: Mapping[str, str]
    file: BinaryIO
    start: int
    length: int


def parse_json(data: bytes) -> Json:
    """A JSON object from bytes; anything else is a parse error."""
    if not data.strip():
        return {}
    try:
        value = json.loads(data)
    except ValueError as error:
        raise bad_request("Parse Error", "parseError") from error
    if not isinstance(value, dict):
        raise bad_request("Parse Error", "parseError")
    return value


def _bounded(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_JSON:
            raise bad_request("The metadata of the request is larger than 1 MiB.")
    return bytes(data)
