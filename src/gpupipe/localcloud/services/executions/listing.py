"""ListExecutions: filters and orders over the fields that the API names, in pages.

Fields, sizes of pages and the order without one are those of ListExecutionsRequest; how a filter
compares beyond that is own knowledge.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel import filters
from gpupipe.localcloud.kernel.filters import Comparison
from gpupipe.localcloud.services.executions.store import Store
from gpupipe.localcloud.store.paging import after_token, page_token

FULL = int(pb.ExecutionView.FULL)
_PAGE = 100
_MOST_BASIC, _MOST_FULL = 1000, 100
_ORDERED: dict[str, Callable[[Any], Any]] = {
    "=": lambda sign: sign == 0,
    "!=": lambda sign: sign != 0,
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}
_STATES = frozenset(state.name for state in list(pb.Execution.State))
_LABELS = frozenset({"label", "labels"})


def page(
    store: Store, workflow: str, request: Any, whole: Callable[[Any], Any]
) -> tuple[list[Any], str]:
    """Those that a ListExecutionsRequest asks for, and the token of the next page.

    whole: adds to a stored execution what is known of it while it runs.
    """
    most = _MOST_FULL if request.view == FULL else _MOST_BASIC
    size = min(request.page_size or _PAGE, most)
    shows, token = _filter(request.filter), _sequence(request.page_token)
    if request.order_by:
        rows = iter(_ordered(list(store.newest_first(workflow)), request.order_by))
        if token:
            rows = islice(dropwhile(lambda row: row[0] != token, rows), 1, None)
    else:
        rows = store.newest_first(workflow, token) if token else store.newest_first(workflow)
    known = ((sequence, whole(execution)) for sequence, execution in rows)
    found = list(islice((row for row in known if shows(row[1])), size + 1))
    more = page_token(str(found[size - 1][0])) if len(found) > size else ""
    return [execution for _, execution in found[:size]], more


def _sequence(token: str) -> int:
    told = after_token(token) or "0"
    if not told.isdecimal():
        raise invalid_argument("The page token is not valid.", "page_token")
    return int(told)


def _filter(text: str) -> Callable[[Any], bool]:
    expression = filters.parse(text)
    for comparison in filters.comparisons(expression):
        _check(comparison)
    return lambda execution: filters.holds(expression, lambda one: _compares(one, execution))


def _check(comparison: Comparison) -> None:
    if comparison.operator not in _ORDERED:
        raise unimplemented(f"the operator {comparison.operator!r} in filters of executions")
    match comparison.path:
        case ("stepName",):
            return
        case (field,) if field in _FIELDS:
            _FIELDS[field][1](comparison.value)
        case (field, _, *_) if field in _LABELS:
            return
        case _:
            raise invalid_argument(f"Executions have no field {comparison.field!r}.", "filter")


def _compares(comparison: Comparison, execution: Any) -> bool:
    holds = _ORDERED[comparison.operator]
    if comparison.path == ("stepName",):
        steps = [one.step for one in execution.status.current_steps]
        return any(holds(_sign(step, comparison.value)) for step in steps)
    if comparison.path[0] in _LABELS:
        label = ".".join(comparison.path[1:])
        return bool(holds(_sign(execution.labels.get(label, ""), comparison.value)))
    of, read = _FIELDS[comparison.path[0]]
    value = of(execution)
    return value is not None and bool(holds(_sign(value, read(comparison.value))))


def _ordered(rows: list[tuple[int, Any]], order: str) -> Sequence[tuple[int, Any]]:
    for part in reversed(order.split(",")):
        words = part.split()
        descending = len(words) == 2 and words[1].lower() == "desc"  # noqa: PLR2004
        if not words or words[0] not in _FIELDS or len(words) != 1 + descending:
            raise invalid_argument(f"Executions cannot be ordered by {part.strip()!r}.", "order_by")
        rows.sort(key=_key(words[0]), reverse=descending)
    return rows


def _key(field: str) -> Callable[[tuple[int, Any]], tuple[bool, Any]]:
    """Sorts by a field; what has no value yet comes last, or first when descending."""

    def key(row: tuple[int, Any]) -> tuple[bool, Any]:
        value = _FIELDS[field][0](row[1])
        return value is None, 0 if value is None else value

    return key


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_argument(f"{text!r} is not a time (RFC 3339).", "filter") from error
    return found.replace(tzinfo=found.tzinfo or UTC)


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=float(text.removesuffix("s")))
    except ValueError as error:
        raise invalid_argument(f"{text!r} is not a duration (3.5s).", "filter") from error


def _state(text: str) -> str:
    if text not in _STATES:
        raise invalid_argument(f"There is no state {text!r}.", "filter")
    return text


def _start(execution: Any) -> datetime:
    found: datetime = execution.start_time.ToDatetime(UTC)
    return found


def _end(execution: Any) -> datetime | None:
    return execution.end_time.ToDatetime(UTC) if execution.HasField("end_time") else None


def _took(execution: Any) -> timedelta | None:
    return execution.duration.ToTimedelta() if execution.HasField("duration") else None


# field -> (its value, None where there is none; how a filter's text is read)
_FIELDS: dict[str, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    "executionID": (lambda one: one.name.rpartition("/")[2], str),
    "state": (lambda one: pb.Execution.State(one.state).name, _state),
    "startTime": (_start, _moment),
    "endTime": (_end, _moment),
    "duration": (_took, _duration),
    "workflowRevisionID": (lambda one: one.workflow_revision_id, str),
}
