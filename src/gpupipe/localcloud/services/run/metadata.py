"""The metadata server of running instances: project, region and the tokens of their account.

It needs no token: the path begins with the instance's 128-bit secret, which is known to that
process alone and ends with it. Anything else is 404, as is any account but the instance's own.
"""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.runner.instance import Identity

_FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_UNIVERSE = "googleapis.com"
_ACCOUNTS = "instance/service-accounts/"
_FRESH = timedelta(minutes=5)


class _Secret(Convertor[str]):
    regex = "[0-9a-f]{32}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class Metadata:
    """The routes; `identity` finds the living instance of a secret."""

    def __init__(self, kernel: Kernel, identity: Callable[[str], Identity | None]) -> None:
        self._kernel = kernel
        self._identity = identity
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def routes(self) -> Iterator[BaseRoute]:
        """The ping that google.auth sends, with and without a slash, and the tree."""
        register_url_convertor("secret", _Secret())
        yield Route("/{secret:secret}", self._answer, methods=["GET"])
        yield Route("/{secret:secret}/{path:path}", self._answer, methods=["GET"])

    # Not async: Starlette runs it in a thread, since tokens are written to the database.
    def _answer(self, request: Request) -> Response:
        identity = self._identity(request.path_params["secret"])
        if identity is None:
            return PlainTextResponse("Not Found", 404)
        if request.headers.get("Metadata-Flavor") != "Google":
            return PlainTextResponse("Missing Metadata-Flavor:Google header.", 403)
        path = request.path_params.get("path", "")
        if path.rstrip("/") in {"", "computeMetadata"}:
            return PlainTextResponse("computeMetadata/\n", headers=_FLAVOR)
        root, _, rest = path.partition("computeMetadata/v1/")
        try:
            answer = None if root else self._tree(identity, rest, request)
        except ServiceError as error:
            return PlainTextResponse(error.message, error.code.http_status, headers=_FLAVOR)
        return answer or PlainTextResponse("Not Found", 404, headers=_FLAVOR)

    def _tree(self, identity: Identity, path: str, request: Request) -> Response | None:
        texts = {
            "project/project-id": identity.project,
            "project/numeric-project-id": str(identity.project_number),
            "instance/region": f"projects/{identity.project_number}/regions/{identity.region}",
            "instance/zone": f"projects/{identity.project_number}/zones/{identity.region}-1",
            "instance/id": identity.instance_id,
            "universe/universe-domain": _UNIVERSE,
        }
        if path in texts:
            return _text(texts[path])
        if path.startswith(_ACCOUNTS):
            return self._accounts(identity, path.removeprefix(_ACCOUNTS), request)
        return None

    def _accounts(self, identity: Identity, path: str, request: Request) -> Response | None:
        recursive = request.query_params.get("recursive", "").lower() == "true"
        if not path:
            names = ("default", identity.account)
            if recursive:
                return _json({name: _account(identity) for name in names})
            return _text("".join(f"{name}/\n" for name in names))
        account, _, leaf = path.partition("/")
        if account not in {"default", identity.account}:
            return None
        if not leaf:
            listing = "aliases\nemail\nidentity\nscopes\ntoken\n"
            return _json(_account(identity)) if recursive else _text(listing)
        return self._leaf(identity, leaf, request)

    def _leaf(self, identity: Identity, leaf: str, request: Request) -> Response | None:
        texts = {
            "email": identity.account,
            "aliases": "default\n",
            "scopes": "".join(f"{scope}\n" for scope in _SCOPES),
        }
        if leaf in texts:
            return _text(texts[leaf])
        if leaf == "token":
            return self._token(identity.account)
        if leaf == "identity":
            audience = request.query_params.get("audience", "")
            if not audience:
                return PlainTextResponse("non-empty audience parameter required", 400)
            return _text(self._kernel.identity.id_token(identity.account, audience))
        return None

    def _token(self, account: str) -> Response:
        """The same token until five minutes before its end, as the real server does it."""
        now = self._kernel.clock.now()
        with self._lock:
            token, end = self._tokens.get(account, ("", now))
            if end - now < _FRESH or not self._works(token):
                token, end = self._kernel.identity.access_token(account)
                self._tokens[account] = (token, end)
        left = int((end - now).total_seconds())
        return _json({"access_token": token, "expires_in": left, "token_type": "Bearer"})

    def _works(self, token: str) -> bool:
        """Whether the token is still good: its account may have been deleted meanwhile."""
        try:
            self._kernel.identity.authenticate(token)
        except ServiceError:
            return False
        return True


def _account(identity: Identity) -> dict[str, object]:
    return {"aliases": ["default"], "email": identity.account, "scopes": list(_SCOPES)}


def _text(text: str) -> Response:
    return PlainTextResponse(text, headers={**_FLAVOR}, media_type="application/text")


def _json(value: object) -> Response:
    return Response(json.dumps(value), headers={**_FLAVOR}, media_type="application/json")
