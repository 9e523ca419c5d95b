"""The filter of ListBuilds: `tags` and `status`, joined by AND, OR, NOT and parentheses."""

from collections.abc import Callable
from typing import Any

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.filters import Comparison, comparisons, holds, parse
from gpupipe.localcloud.services.cloudbuild.messages import STATUS_NAMES

_STATUSES = frozenset(STATUS_NAMES.values())


def compiled(text: str) -> Callable[[Any], bool]:
    """The filter as a predicate of builds; INVALID_ARGUMENT names the part that is not known."""
    expression = parse(text)
    for one in comparisons(expression):
        _check(one)
    return lambda build: holds(expression, lambda one: _compare(one, build))


def _check(one: Comparison) -> None:
    known = one.field in {"tags", "status"} and one.operator in {"=", "!="}
    if not known or (one.field == "status" and one.value not in _STATUSES):
        raise invalid_argument(
            f"The local cloud does not know {one.field}{one.operator}{one.value!r} in a filter of "
            "builds.",
            "filter",
        )


def _compare(one: Comparison, build: Any) -> bool:
    equal = (
        one.value in build.tags if one.field == "tags" else STATUS_NAMES[build.status] == one.value
    )
    return equal is (one.operator == "=")
