"""Filters and orders of list methods (AIP-160, AIP-132) over the fields that an API names.

How a filter compares beyond the names of the fields is own knowledge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel import filters
from gpupipe.localcloud.kernel.filters import Comparison

T = TypeVar("T")
_ORDERED: dict[str, Callable[[Any], Any]] = {
    "=": lambda sign: sign == 0,
    "!=": lambda sign: sign != 0,
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}
_DIRECTIONS = {"asc": False, "desc": True}


@dataclass(frozen=True, slots=True)
class Field:
    """values: those of a resource, none where it has none yet; read: the text of a filter as one."""

    values: Callable[[Any], Sequence[Any]]
    read: Callable[[str], Any] = str


Find = Callable[[tuple[str, ...]], Field | None]
"""The field that a path of a filter names."""


def shown(text: str, noun: str, find: Find) -> Callable[[Any], bool]:
    """Whether a filter shows a resource; INVALID_ARGUMENT for fields and values that are none."""
    expression = filters.parse(text)

    def field(comparison: Comparison) -> Field:
        found = find(comparison.path)
        if found is None:
            raise invalid_argument(f"{noun} have no field {comparison.field!r}.", "filter")
        return found

    for one in filters.comparisons(expression):
        if one.operator not in _ORDERED:
            raise unimplemented(f"the operator {one.operator!r} in filters of {noun.lower()}")
        field(one).read(one.value)

    def compares(comparison: Comparison, resource: Any) -> bool:
        known, holds = field(comparison), _ORDERED[comparison.operator]
        wanted = known.read(comparison.value)
        return any(holds(_sign(value, wanted)) for value in known.values(resource))

    return lambda resource: filters.holds(expression, lambda one: compares(one, resource))


def in_order(
    items: Iterable[T],
    order: str,
    noun: str,
    fields: Mapping[str, Field],
    resource: Callable[[T], Any] = lambda item: item,
) -> list[T]:
    """Items by the fields of an order_by; what has no value comes last, or first when descending."""
    found = list(items)
    for part in reversed(order.split(",")):
        name, _, direction = part.strip().partition(" ")
        descending = _DIRECTIONS.get(direction.strip().lower() or "asc")
        if name not in fields or descending is None:
            raise invalid_argument(f"{noun} cannot be ordered by {part.strip()!r}.", "order_by")
        found.sort(key=_key(fields[name], resource), reverse=descending)
    return found


def _key(field: Field, resource: Callable[[T], Any]) -> Callable[[T], tuple[bool, Any]]:
    def key(item: T) -> tuple[bool, Any]:
        values = field.values(resource(item))
        return (False, values[0]) if values else (True, 0)

    return key


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def moment(text: str) -> datetime:
    """A time of a filter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_argument(f"{text!r} is not a time (RFC 3339).", "filter") from error
    return found.replace(tzinfo=found.tzinfo or UTC)


def duration(text: str) -> timedelta:
    """A duration of a filter."""
    try:
        return timedelta(seconds=float(text.removesuffix("s")))
    except (ValueError, OverflowError) as error:
        raise invalid_argument(f"{text!r} is not a duration (3.5s).", "filter") from error


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """Reads one of the names of an enum."""
    known = frozenset(names)

    def read(text: str) -> str:
        if text not in known:
            raise invalid_argument(f"There is no state {text!r}.", "filter")
        return text

    return read
