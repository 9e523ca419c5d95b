"""text, but for regular expressions, and time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus, unquote_plus
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gpupipe.workflows.errors import raised
from gpupipe.workflows.limits import STRING_BYTES
from gpupipe.workflows.stdlib.function import NUMBER, Function, Runtime, may, need, pure
from gpupipe.workflows.values import Value

_CHARSETS = ("utf", "us-ascii", "ascii", "iso-8859", "latin", "windows-125", "cp125", "koi8", "gb",
             "big5", "euc-", "shift", "iso-2022")  # fmt: skip
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _find_all(source: str, substr: str) -> list[int]:
    if not substr:
        return []
    found, start = [], source.find(substr)
    while start >= 0:
        found.append(start)
        start = source.find(substr, start + len(substr))
    return found


def _replace_all(source: str, substr: str, repl: str) -> str:
    # Nothing to look for is not documented: here it changes nothing.
    count = source.count(substr) if substr else 0
    if len(source) + count * (len(repl) - len(substr)) > STRING_BYTES:
        raise raised("ResourceLimitError", f"a string is larger than {STRING_BYTES} bytes")
    return source.replace(substr, repl) if count else source


def _substring(source: str, start: int, end: int) -> str:
    # Beyond the ends is not documented; refused, so that nobody relies on it.
    if not 0 <= start <= end <= len(source):
        raise raised("IndexError", f"no text from {start} to {end} in {len(source)} characters")
    return source[start:end]


def _split(source: str, separator: str) -> list[str]:
    return source.split(separator) if separator else list(source)


def _url_decode(source: str) -> str:
    if _BAD_ESCAPE.search(source):
        raise raised("ValueError", "a % without two hexadecimal digits behind it")
    return unquote_plus(source)


def _charset(name: str) -> str:
    """A character set that others know as well, not one of Python's own transformations."""
    if not name.lower().replace("_", "-").startswith(_CHARSETS):
        raise raised("ValueError", f"unknown charset {name!r}")
    return name


def _encode(text: str, charset: str) -> bytes:
    try:
        return text.encode(_charset(charset))
    except (LookupError, ValueError) as error:
        raise raised("ValueError", f"the text cannot be encoded as {charset}") from error


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(_charset(charset))
    except (LookupError, ValueError) as error:
        raise raised("ValueError", f"the bytes are no {charset}") from error


def _format(seconds: float, timezone: str) -> str:
    try:
        zone = UTC if timezone in {"", "UTC"} else ZoneInfo(timezone)
        moment = datetime.fromtimestamp(seconds, zone)
    # OSError: a folder of the time zones, or a moment that the system cannot name.
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError) as error:
        raise raised("ValueError", f"no time {seconds} in {timezone!r}") from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(value: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; ValueError of the language."""
    if not _RFC_3339.fullmatch(value):
        raise raised("ValueError", f"{value!r} is no RFC 3339 time")
    try:
        return datetime.fromisoformat(value.upper()).timestamp()
    except (ValueError, OverflowError) as error:
        raise raised("ValueError", f"{value!r} is no RFC 3339 time") from error


async def _now(runtime: Runtime, _: Mapping[str, Value]) -> Value:
    return runtime.effects.clock.now()


_SOURCE = need("source", "string")
FUNCTIONS: tuple[Function, ...] = (
    pure("text.find_all", _find_all, _SOURCE, need("substr", "string")),
    pure("text.replace_all", _replace_all, _SOURCE, need("substr", "string"), need("repl", "string")),
    pure("text.split", _split, _SOURCE, need("separator", "string")),
    pure("text.substring", _substring, _SOURCE, need("start", "integer"), need("end", "integer")),
    pure("text.to_lower", lambda source: source.lower(), _SOURCE),
    pure("text.to_upper", lambda source: source.upper(), _SOURCE),
    pure("text.url_encode", lambda source: quote(source, safe=""), _SOURCE),
    pure("text.url_encode_plus", lambda source: quote_plus(source, safe=""), _SOURCE),
    pure("text.url_decode", _url_decode, _SOURCE),
    pure("text.encode", _encode, need("text", "string"), may("charset", "UTF-8", "string")),
    pure("text.decode", _decode, need("data", "bytes"), may("charset", "UTF-8", "string")),
    pure("time.format", _format, need("seconds", *NUMBER), may("timezone", "UTC", "string")),
    pure("time.parse", parse_time, need("value", "string")),
    Function("sys.now", (), _now),
)  # fmt: skip
