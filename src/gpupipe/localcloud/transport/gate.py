"""The gate in front of every HTTP request: ours by Host, not from a web page, with a token.

A loopback port is open to every local user and to every page in a browser. So: a foreign Host is
421 (a name that was made to resolve to us), an Origin or a cross-site fetch is 403, and a request
without a good access token is 401, but for the surfaces in `TOKEN_FREE`. Requests in the form for
proxies (`GET http://run.gpupipe.test/...`) are served here and never passed on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.transport.errors import json_error
from gpupipe.localcloud.transport.pipeline import bearer

_PROXY_FORM = re.compile(rb"http://([^/?#]*)([^?#]*)")
# Hosts that a proxy request may name: the reserved top-level domain `test` resolves nowhere.
_PROXY_HOST = re.compile(r"[a-z0-9.-]+\.gpupipe\.test(:\d+)?")
_OWN_SITE = {"none", "same-origin"}


@dataclass(frozen=True, slots=True)
class TokenFree:
    """A surface that needs no access token: why, and which requests it is."""

    why: str
    matches: Callable[[str, str], bool]


def _under(pattern: str, *methods: str) -> Callable[[str, str], bool]:
    compiled = re.compile(pattern)
    return lambda method, path: (
        (not methods or method in methods) and compiled.fullmatch(path) is not None
    )


TOKEN_FREE: tuple[TokenFree, ...] = (
    TokenFree(
        "the metadata server: a live instance's 128-bit secret is in the path",
        _under(r"/[0-9a-f]{32}(/.*)?", "GET"),
    ),
    TokenFree("Cloud Run's front door: it checks identity tokens itself", _under(r"/run/.+")),
    TokenFree("the OAuth token endpoint: it takes the refresh token", _under("/token", "POST")),
    TokenFree("public keys of identity tokens", _under("/oauth2/v1/certs", "GET")),
)


class Gate:
    """ASGI middleware; `authenticate` raises ServiceError for a token that is not good."""

    def __init__(self, app: ASGIApp, *, port: int, authenticate: Callable[[str], object]) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with its refusal."""
        if scope["type"] == "http":
            scope, named = _origin_form(scope)
            refusal = self._refusal(scope, named)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, proxy_host: str | None) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._is_ours(headers, proxy_host):
            return _plain(421, "This local cloud does not answer for that host name.")
        if _from_a_page(headers):
            return _plain(403, "The local cloud does not answer web pages.")
        method, path = scope["method"], scope["path"]
        if any(surface.matches(method, path) for surface in TOKEN_FREE):
            return None
        try:
            self._authenticate(bearer(headers))
        except ServiceError as error:
            return json_error(error)
        return None

    def _is_ours(self, headers: Headers, proxy_host: str | None) -> bool:
        hosts = headers.getlist("host")
        if proxy_host is not None:
            return proxy_host in self._hosts or _PROXY_HOST.fullmatch(proxy_host) is not None
        return len(hosts) == 1 and hosts[0].lower() in self._hosts


def _origin_form(scope: Scope) -> tuple[Scope, str | None]:
    """The request without scheme and host, and the host of one in the form for proxies."""
    raw = scope.get("raw_path") or scope["path"].encode()
    match = _PROXY_FORM.match(raw)
    if match is None:
        return scope, None
    path = match[2] or b"/"
    decoded = scope["path"][len(b"http://" + match[1]) :] or "/"
    return {**scope, "raw_path": path, "path": decoded}, match[1].decode("latin-1").lower()


def _from_a_page(headers: Mapping[str, str]) -> bool:
    return "origin" in headers or headers.get("sec-fetch-site", "none").lower() not in _OWN_SITE


def _plain(status: int, message: str) -> JSONResponse:
    names = {421: "MISDIRECTED_REQUEST", 403: "PERMISSION_DENIED"}
    body = {"error": {"code": status, "message": message, "status": names[status]}}
    return JSONResponse(body, status)
