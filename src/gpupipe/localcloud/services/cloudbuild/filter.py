"""The filter of ListBuilds: `tags` and `status`, joined by AND, OR, NOT and parentheses."""

from collections.abc import Callable
from typing import Any

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.filters import Comparison, comparisons, holds, parse
from gpupipe.localcloud.services.cloudbuild.messages import STATUS_NAMES

_STATUSES = frozenset(STATUS_NAMES.values())


def compiled(text: str) -> Callable[[Any], bool]:
    """The filter as a predicate of builds.

    INVALID_ARGUMENT for what cannot be read, UNIMPLEMENTED for other fields and operators.
    """
    expression = parse(text)
    for one in comparisons(expression):
        _check(one)
    return lambda build: holds(expression, lambda one: _compare(one, build))


def _check(one: Comparison) -> None:
    if one.field not in {"tags", "status"} or one.operator not in {"=", "!="}:
        raise unimplemented(f"{one.field}{one.operator}{one.value!r} in a filter of builds")
    if one.field == "status" and one.value not in _STATUSES:
        raise invalid_argument(f"Builds have no status {one.value!r}.", "filter")  # own words


def _compare(one: Comparison, build: Any) -> bool:
    equal = (
        one.value in build.tags if one.field == "tags" else STATUS_NAMES[build.status] == one.value
    )
    return equal is (one.operator == "=")
