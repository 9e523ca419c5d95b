"""Cloud Logging's filter over entries: the fields and operators that the local cloud knows."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gpupipe.localcloud.errors import ServiceError, invalid_argument, unimplemented
from gpupipe.localcloud.kernel.filters import Comparison, comparisons, holds, parse
from gpupipe.localcloud.kernel.logs import SEVERITIES, LogEntry

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    # Comparisons of texts do not look at case (Logging query language).
    "=": lambda a, b: a.lower() == b.lower(),
    "!=": lambda a, b: a.lower() != b.lower(),
    ":": lambda a, b: b.lower() in a.lower(),
    "=~": lambda a, b: re.search(b, a) is not None,
    "!~": lambda a, b: re.search(b, a) is None,
}
_PAYLOADS = ("jsonPayload", "protoPayload")
_PLAIN = frozenset({"logName", "textPayload", "trace", "insertId", "resource.type"})
_MAPS = (("resource", "labels"), ("labels",), ("jsonPayload",), ("protoPayload",))


def compiled(text: str) -> Callable[[LogEntry], bool]:
    """The filter as a predicate.

    INVALID_ARGUMENT for what cannot be read, UNIMPLEMENTED for fields and operators that are not
    known here.
    """
    expression = parse(text)
    tests = {one: _test(one) for one in comparisons(expression)}
    return lambda entry: holds(expression, lambda one: tests[one](entry))


def _test(one: Comparison) -> Callable[[LogEntry], bool]:
    if one.field == "severity":
        return _severity(one)
    if one.field in {"timestamp", "receiveTimestamp"}:
        return _time(one)
    return _value(one)


def _severity(one: Comparison) -> Callable[[LogEntry], bool]:
    if one.operator not in _ORDERED:
        raise _unknown(one)
    wanted = SEVERITIES.get(one.value.upper())
    if wanted is None:
        raise invalid_argument(f"There is no severity {one.value!r}.", "filter")  # own words
    compare = _ORDERED[one.operator]
    return lambda entry: compare(SEVERITIES[entry.severity], wanted)


def _time(one: Comparison) -> Callable[[LogEntry], bool]:
    if one.operator not in _ORDERED:
        raise _unknown(one)
    try:
        wanted = datetime.fromisoformat(one.value)
    except ValueError as error:
        raise invalid_argument(f"{one.value!r} is not a time.", "filter") from error
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    compare = _ORDERED[one.operator]
    if one.field == "timestamp":
        return lambda entry: compare(entry.timestamp, wanted)
    return lambda entry: compare(entry.received or entry.timestamp, wanted)


def _value(one: Comparison) -> Callable[[LogEntry], bool]:
    if not is_known(one.path):
        raise _unknown(one)
    if one.operator in _TEXT:
        compare = _TEXT[one.operator]
        _check_expression(one)
        return lambda entry: any(compare(text, one.value) for text in texts(entry, one.path))
    if one.path[0] not in _PAYLOADS:
        raise _unknown(one)
    return _number(one)


def _number(one: Comparison) -> Callable[[LogEntry], bool]:
    try:
        wanted = float(one.value)
    except ValueError as error:
        raise _unknown(one) from error
    compare = _ORDERED[one.operator]

    def test(entry: LogEntry) -> bool:
        found = _payload(entry, one.path)
        return isinstance(found, int | float) and compare(float(found), wanted)

    return test


def is_known(path: tuple[str, ...]) -> bool:
    """Whether entries have such a field."""
    return ".".join(path) in _PLAIN or any(
        path[: len(start)] == start and len(path) > len(start) for start in _MAPS
    )


def _check_expression(one: Comparison) -> None:
    if one.operator not in {"=~", "!~"}:
        return
    try:
        re.compile(one.value)
    except re.error as error:
        raise invalid_argument(f"{one.value!r} is no regular expression.", "filter") from error


def texts(entry: LogEntry, path: tuple[str, ...]) -> tuple[str, ...]:
    """The field's text, or nothing where the entry has no such field (then nothing matches)."""
    found = _field(entry, path)
    if found is None:
        return ()
    if isinstance(found, bool):
        return (str(found).lower(),)
    if isinstance(found, float) and found.is_integer():
        return (str(int(found)),)
    return (str(found),)


def _field(entry: LogEntry, path: tuple[str, ...]) -> Any:
    if path[0] in _PAYLOADS:
        return _payload(entry, path)
    if path[0] == "labels":
        return entry.labels.get(".".join(path[1:]))
    if path[:2] == ("resource", "labels"):
        return _label(entry, ".".join(path[2:]))
    return {
        "logName": entry.log_name,
        "textPayload": entry.payload if isinstance(entry.payload, str) else None,
        "trace": entry.trace,
        "insertId": entry.insert_id,
        "resource.type": entry.resource_type,
    }[".".join(path)]


def _label(entry: LogEntry, name: str) -> str | None:
    """A label of the resource; every resource has its project."""
    return entry.resource_labels.get(name) or (entry.project if name == "project_id" else None)


def _payload(entry: LogEntry, path: tuple[str, ...]) -> Any:
    found: Any = entry.payload if entry.is_audit == (path[0] == "protoPayload") else None
    for name in path[1:]:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _unknown(one: Comparison) -> ServiceError:
    return unimplemented(f"{one.field}{one.operator}{one.value!r} in a log filter")
