"""The gate in front of every HTTP request: ours by Host, not from a web page, with a token.

A loopback port is open to every local user and to every page in a browser. So: a foreign Host is
421 (a name that was made to resolve to us), an Origin or a cross-site fetch is 403, and a request
without a good access token is 401, but for the surfaces in `TOKEN_FREE`. Requests in the form for
proxies (`GET http://run.gpupipe.test/...`) are served here when they name an API (`hosts`), and
refused otherwise. The same holds for what comes through a tunnel (`entrance`). Nothing is passed on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.transport import hosts
from gpupipe.localcloud.transport.entrance import tunnel_of
from gpupipe.localcloud.transport.errors import json_error
from gpupipe.localcloud.transport.pipeline import bearer

_PROXY_FORM = re.compile(rb"http://([^/?#]*)([^?#]*)")
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
            scope, host = _addressed(scope)
            refusal = self._refusal(scope, host)
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
            return _plain(421, _no_answer_for(scope, proxy_host))
        if _from_a_page(headers):
            return _plain(403, "The local cloud does not answer web pages.")
        method, path = scope["method"], scope["path"]
        if any(surface.matches(method, path) for surface in TOKEN_FREE):
            return None
        try:
            self._authenticate(bearer(headers))
        except ServiceError as error:
            return json_error(error, scope)
        return None

    def _is_ours(self, headers: Headers, proxy_host: str | None) -> bool:
        given = headers.getlist("host")
        if proxy_host is not None:
            return proxy_host in self._hosts or hosts.api_of(proxy_host) is not None
        return len(given) == 1 and given[0].lower() in self._hosts


def _addressed(scope: Scope) -> tuple[Scope, str | None]:
    """The request as one to a server, and the host that a client of a proxy meant by it."""
    tunnel = tunnel_of(scope)
    if tunnel is not None:
        return {**scope, **hosts.naming(hosts.api_of(tunnel), hosts.region_of(tunnel))}, tunnel
    raw = scope.get("raw_path") or scope["path"].encode()
    match = _PROXY_FORM.match(raw)
    if match is None:
        return scope, None
    path = match[2] or b"/"
    decoded = scope["path"][len(b"http://" + match[1]) :] or "/"
    host = match[1].decode("latin-1").lower()
    api = hosts.naming(hosts.api_of(host), hosts.region_of(host))
    return {**scope, **api, "raw_path": path, "path": decoded}, host


def _no_answer_for(scope: Scope, proxy_host: str | None) -> str:
    if scope["method"] == "CONNECT":
        return f"The local cloud is no way to {scope['path']}: it opens no tunnel to it."
    if proxy_host is None:
        return "This local cloud does not answer for that host name."
    return f"The local cloud is no way to {proxy_host}: it answers for the APIs that it emulates."


def _from_a_page(headers: Mapping[str, str]) -> bool:
    return "origin" in headers or headers.get("sec-fetch-site", "none").lower() not in _OWN_SITE


def _plain(status: int, message: str) -> JSONResponse:
    names = {421: "MISDIRECTED_REQUEST", 403: "PERMISSION_DENIED"}
    body = {"error": {"code": status, "message": message, "status": names[status]}}
    return JSONResponse(body, status)
