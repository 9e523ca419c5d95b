"""One call of one row, as both listeners make it: guarded, checked, answered."""

from collections.abc import Mapping

from google.protobuf.message import Message

from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.transport import lists
from gpupipe.localcloud.transport.fields import check_named, check_request
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Rpc
from gpupipe.localcloud.transport.wire import Wire

_UNNAMED = frozenset({"", "projects/"})


def answer(
    pipeline: Pipeline, row: Rpc, request: Message, headers: Mapping[str, str], wire: Wire
) -> Message:
    """The answer of a row to a request; ServiceError for every refusal."""
    with pipeline.guard(
        headers,
        method=row.name,
        api=row.api,
        permission=row.permission,
        resource=lambda: _resource(row, request),
        writes=row.writes,
        wire=wire,
        audited=Audited(
            row.permission, row.path[1:].replace("/", "."), lambda: _target(row, request)
        ),
    ) as call:
        check_request(request, row.fields)
        return lists.answer(row, request, call)


def _target(row: Rpc, request: Message) -> Target:
    """What the request names or creates, which may lie below what permissions are checked on."""
    resource = row.resource(request)
    if made := getattr(request, f"{row.path.rpartition('/Create')[2].lower()}_id", ""):
        return Target(f"{resource}/{row.permission.split('.')[1]}/{made}")
    return Target(str(getattr(request, "name", "")) or resource)


def _resource(row: Rpc, request: Message) -> str:
    """What the call is about. Where the request does not say it, nobody's rights matter."""
    name = row.resource(request)
    if name in _UNNAMED:
        check_named(request)
    return name
