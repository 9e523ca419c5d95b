"""ListWorkflows with a filter or an order. Which fields there are is own knowledge: those of a workflow."""

from collections.abc import Sequence
from datetime import UTC
from itertools import dropwhile, islice
from typing import Any

from google.cloud import workflows_v1 as pb

from gpupipe.localcloud.kernel.field_lists import Field, in_order, moment, one_of, shown
from gpupipe.localcloud.store.paging import after_token, page_token

_NOUN = "Workflows"
_PAGE, _MOST = 500, 1000  # ListWorkflowsRequest.page_size


def page(workflows: Sequence[Any], request: Any) -> tuple[list[Any], str]:
    """Those that a ListWorkflowsRequest asks for, and the token of the next page."""
    size = min(request.page_size or _PAGE, _MOST)
    shows, after = shown(request.filter, _NOUN, _field), after_token(request.page_token)
    rows = iter(in_order(workflows, request.order_by or "name", _NOUN, _FIELDS))
    if after:
        rows = islice(dropwhile(lambda one: one.name != after, rows), 1, None)
    found = list(islice((one for one in rows if shows(one)), size + 1))
    more = page_token(found[size - 1].name) if len(found) > size else ""
    return found[:size], more


def _field(path: tuple[str, ...]) -> Field | None:
    if len(path) > 1 and path[0] == "labels":
        label = ".".join(path[1:])
        return Field(lambda one: [one.labels.get(label, "")])
    return _FIELDS.get(path[0]) if len(path) == 1 else None


_FIELDS = {
    "name": Field(lambda one: [one.name]),
    "description": Field(lambda one: [one.description]),
    "state": Field(
        lambda one: [pb.Workflow.State(one.state).name],
        one_of(state.name for state in list(pb.Workflow.State)),
    ),
    "revisionId": Field(lambda one: [one.revision_id]),
    "serviceAccount": Field(lambda one: [one.service_account]),
    "createTime": Field(lambda one: [one.create_time.ToDatetime(UTC)], moment),
    "updateTime": Field(lambda one: [one.update_time.ToDatetime(UTC)], moment),
    "revisionCreateTime": Field(lambda one: [one.revision_create_time.ToDatetime(UTC)], moment),
}
