"""Page tokens: opaque texts that say after which name a list goes on."""

import base64
from collections.abc import Callable, Iterable
from typing import TypeVar

from gpupipe.localcloud.errors import invalid_argument

T = TypeVar("T")


def page_token(after: str) -> str:
    """The token that continues after the given name."""
    return base64.urlsafe_b64encode(after.encode()).decode()


def after_token(token: str) -> str:
    """The name in a token ('' for the first page); INVALID_ARGUMENT for one that is not ours."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise invalid_argument("The page token is not valid.", "page_token") from error


def page_of(
    items: Iterable[T], key: Callable[[T], str], size: int, token: str, *, most: int = 100
) -> tuple[list[T], str]:
    """A page of items in the order of their keys, and the next page's token ('' at the end)."""
    size = min(size, most) if size > 0 else most
    after = after_token(token)
    left = sorted((item for item in items if key(item) > after), key=key)
    page = left[:size]
    return page, page_token(key(page[-1])) if len(left) > size else ""
