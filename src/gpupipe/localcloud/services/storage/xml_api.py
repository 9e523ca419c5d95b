"""The XML API (with it signed URLs and multipart uploads): recognised, and refused by name.

Its addresses are /BUCKET/OBJECT, so a path is taken for one when it begins with a bucket that
exists or carries a parameter that only the XML API has.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.services.storage.refusals import StorageError, as_json, not_emulated

_SIGNED = {"x-goog-signature", "x-goog-credential", "googleaccessid", "signature"}
_OF_XML = {"uploads", "uploadid", "partnumber"}


class XmlApi(BaseRoute):
    """The last route of Cloud Storage."""

    def __init__(self, is_bucket: Callable[[str], bool]) -> None:
        self._is_bucket = is_bucket

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request that no other route took is one of the XML API."""
        if scope["type"] != "http":
            return Match.NONE, {}
        first = unquote(scope["path"].split("/")[1])
        if _named(scope) & (_SIGNED | _OF_XML) or (first and self._is_bucket(first)):
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, with the name of what was asked for."""
        error = _refusal(scope)
        await JSONResponse(as_json(error), error.status)(scope, receive, send)


def _refusal(scope: Scope) -> StorageError:
    if _named(scope) & _SIGNED:
        return not_emulated("a signed URL (they belong to the XML API): use the JSON API")
    return not_emulated(f"{scope['method']} of the XML API: use the JSON API")


def _named(scope: Scope) -> set[str]:
    query = scope["query_string"].decode("latin-1")
    return {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
