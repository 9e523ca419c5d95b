"""ListExecutions: filters and orders over the fields that the API names, in pages.

Fields, sizes of pages and the order without one are those of ListExecutionsRequest.
"""

from collections.abc import Callable
from datetime import UTC
from itertools import dropwhile, islice
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.field_lists import (
    Field,
    duration,
    in_order,
    moment,
    one_of,
    shown,
)
from gpupipe.localcloud.services.executions.store import Store
from gpupipe.localcloud.store.paging import after_token, page_token

FULL = int(pb.ExecutionView.FULL)
_PAGE = 100
_MOST_BASIC, _MOST_FULL = 1000, 100
_NOUN = "Executions"
_LABELS = frozenset({"label", "labels"})


def page(
    store: Store, workflow: str, request: Any, whole: Callable[[Any], Any]
) -> tuple[list[Any], str]:
    """Those that a ListExecutionsRequest asks for, and the token of the next page.

    whole: adds to a stored execution what is known of it while it runs.
    """
    most = _MOST_FULL if request.view == FULL else _MOST_BASIC
    size = min(request.page_size or _PAGE, most)
    shows, token = shown(request.filter, _NOUN, _field), _sequence(request.page_token)
    if request.order_by:
        stored = store.newest_first(workflow)
        rows = iter(in_order(stored, request.order_by, _NOUN, _FIELDS, lambda row: row[1]))
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


def _field(path: tuple[str, ...]) -> Field | None:
    if path == ("stepName",):
        return Field(lambda one: [step.step for step in one.status.current_steps])
    if len(path) > 1 and path[0] in _LABELS:
        name = ".".join(path[1:])
        return Field(lambda one: [one.labels.get(name, "")])
    return _FIELDS.get(path[0]) if len(path) == 1 else None


_FIELDS = {
    "executionID": Field(lambda one: [one.name.rpartition("/")[2]]),
    "state": Field(
        lambda one: [pb.Execution.State(one.state).name],
        one_of(state.name for state in list(pb.Execution.State)),
    ),
    "startTime": Field(lambda one: [one.start_time.ToDatetime(UTC)], moment),
    "endTime": Field(
        lambda one: [one.end_time.ToDatetime(UTC)] if one.HasField("end_time") else [], moment
    ),
    "duration": Field(
        lambda one: [one.duration.ToTimedelta()] if one.HasField("duration") else [], duration
    ),
    "workflowRevisionID": Field(lambda one: [one.workflow_revision_id]),
}
