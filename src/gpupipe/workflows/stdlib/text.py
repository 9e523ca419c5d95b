"""text and time. Regular expressions are not here yet: RE2's rules differ from Python's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gpupipe.workflows.errors import raised
from gpupipe.workflows.stdlib.function import NUMBER, Function, Runtime, may, need, pure
from gpupipe.workflows.values import Value


def _find_all(source: str, substr: str) -> list[int]:
    if not substr:
        return []
    found, start = [], source.find(substr)
    while start >= 0:
        found.append(start)
        start = source.find(substr, start + len(substr))
    return found


def _substring(source: str, start: int, end: int) -> str:
    # Beyond the ends is not documented; refused, so that nobody relies on it.
    if not 0 <= start <= end <= len(source):
        raise raised("IndexError", f"no text from {start} to {end} in {len(source)} characters")
    return source[start:end]


def _split(source: str, separator: str) -> list[str]:
    return source.split(separator) if separator else list(source)


def _encode(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except (LookupError, UnicodeEncodeError) as error:
        raise raised("ValueError", f"the text cannot be encoded as {charset}") from error


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except (LookupError, UnicodeDecodeError) as error:
        raise raised("ValueError", f"the bytes are no {charset}") from error


def _format(seconds: float, timezone: str) -> str:
    try:
        zone = UTC if timezone in {"", "UTC"} else ZoneInfo(timezone)
        moment = datetime.fromtimestamp(seconds, zone)
    except (ZoneInfoNotFoundError, ValueError, OverflowError) as error:
        raise raised("ValueError", f"no time {seconds} in {timezone!r}") from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(value: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; ValueError of the language."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise raised("ValueError", f"{value!r} is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise raised("ValueError", f"{value!r} has no time zone")
    return moment.timestamp()


async def _now(runtime: Runtime, _: Mapping[str, Value]) -> Value:
    return runtime.effects.clock.now()


_SOURCE = need("source", "string")
FUNCTIONS: tuple[Function, ...] = (
    pure("text.find_all", _find_all, _SOURCE, need("substr", "string")),
    pure("text.replace_all", lambda source, old, new: source.replace(old, new) if old else source,
         _SOURCE, need("substr", "string"), need("repl", "string")),
    pure("text.split", _split, _SOURCE, need("separator", "string")),
    pure("text.substring", _substring, _SOURCE, need("start", "integer"), need("end", "integer")),
    pure("text.to_lower", lambda source: source.lower(), _SOURCE),
    pure("text.to_upper", lambda source: source.upper(), _SOURCE),
    pure("text.url_encode", lambda source: quote(source, safe=""), _SOURCE),
    pure("text.url_encode_plus", lambda source: quote_plus(source, safe=""), _SOURCE),
    pure("text.url_decode", unquote, _SOURCE),
    pure("text.encode", _encode, need("text", "string"), may("charset", "UTF-8", "string")),
    pure("text.decode", _decode, need("data", "bytes"), may("charset", "UTF-8", "string")),
    pure("time.format", _format, need("seconds", *NUMBER), may("timezone", "UTC", "string")),
    pure("time.parse", parse_time, need("value", "string")),
    Function("sys.now", (), _now),
)  # fmt: skip
