"""One call of one row, as both listeners make it: guarded, checked, answered."""

from collections.abc import Mapping

from google.protobuf.message import Message

from gpupipe.localcloud.transport import lists
from gpupipe.localcloud.transport.fields import check_request
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Rpc
from gpupipe.localcloud.transport.wire import Wire


def answer(
    pipeline: Pipeline, row: Rpc, request: Message, headers: Mapping[str, str], wire: Wire
) -> Message:
    """The answer of a row to a request; ServiceError for every refusal."""
    with pipeline.guard(
        headers,
        method=row.name,
        api=row.api,
        permission=row.permission,
        resource=lambda: row.resource(request),
        writes=row.writes,
        wire=wire,
    ) as call:
        check_request(request, row.fields)
        return lists.answer(row, request, call)
