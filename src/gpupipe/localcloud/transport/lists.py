"""What all list methods have alike (AIP-158), around their handlers.

A page token is good for the list that gave it: the same method and the same request, but for the
size of the pages. A negative size is refused.
"""

from typing import Any

from google.protobuf.message import Message

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.store.paging import opened, sealed
from gpupipe.localcloud.transport.rpc import Call, Rpc

_PAGE = ("page_size", "page_token")


def answer(row: Rpc, request: Any, call: Call) -> Message:
    """The handler's answer; a list's tokens are those of this list. INVALID_ARGUMENT for others."""
    if not set(_PAGE) <= set(row.request.DESCRIPTOR.fields_by_name):
        return row.handler(request, call)
    if request.page_size < 0:
        raise invalid_argument("The page_size must not be negative.", "page_size")
    asked = _asked(row, request)
    request.page_token = opened(request.page_token, asked)
    page: Any = row.handler(request, call)
    page.next_page_token = sealed(page.next_page_token, asked)
    return page  # type: ignore[no-any-return]


def _asked(row: Rpc, request: Any) -> bytes:
    plain = row.request()
    plain.CopyFrom(request)
    for name in _PAGE:
        plain.ClearField(name)
    return row.path.encode() + b" " + plain.SerializeToString(deterministic=True)
