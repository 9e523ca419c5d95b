"""Page tokens: opaque texts that say after which name which list goes on."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from gpupipe.localcloud.errors import ServiceError, invalid_argument

T = TypeVar("T")
_MARK_BYTES = 8


def page_token(after: str) -> str:
    """The token that continues after the given name."""
    return base64.urlsafe_b64encode(after.encode()).decode()


def after_token(token: str) -> str:
    """The name in a token ('' for the first page); INVALID_ARGUMENT for one that is not ours."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise _not_ours() from error


def sealed(token: str, asked: bytes) -> str:
    """The token, good only for the list that `asked` says, whole ('' at the end stays '')."""
    return token and base64.urlsafe_b64encode(_mark(asked) + token.encode()).decode()


def opened(token: str, asked: bytes) -> str:
    """The token that was `sealed`; INVALID_ARGUMENT for one of another list."""
    try:
        whole = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        inner = whole[_MARK_BYTES:].decode()
    except ValueError as error:
        raise _not_ours() from error
    if token and whole[:_MARK_BYTES] != _mark(asked):
        raise _not_ours()
    return inner


def page_of(
    items: Iterable[T], key: Callable[[T], str], size: int, token: str, *, most: int = 100
) -> tuple[list[T], str]:
    """A page of items in the order of their keys, and the next page's token ('' at the end)."""
    size = min(size, most) if size > 0 else most
    after = after_token(token)
    left = sorted((item for item in items if key(item) > after), key=key)
    page = left[:size]
    return page, page_token(key(page[-1])) if len(left) > size else ""


def _mark(asked: bytes) -> bytes:
    return hashlib.sha256(asked).digest()[:_MARK_BYTES]


def _not_ours() -> ServiceError:
    return invalid_argument("The page token is not valid for this list.", "page_token")
