"""The interpreter's HTTP port: requests with the identity of the workflow's account.

Tokens that are made here go to this daemon alone; a signed call to any other address is refused.
"""

import asyncio
import re
from urllib.parse import urlencode

import httpx

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel import internal_traffic
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.workflows.effects import (
    Auth,
    AuthFailed,
    ConnectionBroken,
    ConnectionFailed,
    HttpRequest,
    HttpResponse,
    RequestTimeout,
)
from gpupipe.workflows.limits import RESPONSE_BYTES

# A service's address below ours: /run/PROJECT/REGION/SERVICE; its tokens have it as audience.
_SERVICE = re.compile(r"/run/[^/]+/[^/]+/[^/]+")
# The APIs of Google that this daemon serves over HTTP under their own paths.
_EMULATED = frozenset(
    {"storage.googleapis.com", "run.googleapis.com", "workflowexecutions.googleapis.com"}
)


class HttpPort:
    """Sends the requests of one execution through a shared client without a timeout of its own.

    lines: how many requests of all executions go out at once.
    """

    def __init__(
        self,
        kernel: Kernel,
        client: httpx.AsyncClient,
        lines: asyncio.Semaphore,
        *,
        account: str,
        project: str,
    ) -> None:
        self._kernel = kernel
        self._client = client
        self._lines = lines
        self._account = account
        self._project = project
        self._home = httpx.URL(kernel.http)

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Send and wait for the whole answer; the timeout counts from when there is a line."""
        async with self._lines:
            return await self._in_time(request)

    async def _in_time(self, request: HttpRequest) -> HttpResponse:
        try:
            async with asyncio.timeout(request.timeout):
                return await self._send(request)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise RequestTimeout(f"no answer within {request.timeout:.0f} s") from error
        # ValueError: a header that cannot be written as bytes.
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as e:
            raise ConnectionFailed(f"no connection to {request.url}: {e}") from e
        except httpx.HTTPError as error:
            raise ConnectionBroken(f"the connection broke: {type(error).__name__}") from error

    async def _send(self, request: HttpRequest) -> HttpResponse:
        url = self._address(request)
        headers = dict(request.headers)
        if request.auth is not None:
            headers["Authorization"] = await self._authorization(url, request.auth)
        # Nobody but we may say that a call is from inside.
        headers = {k: v for k, v in headers.items() if k.lower() != internal_traffic.HEADER}
        if self._is_ours(url) and _SERVICE.match(url.path):
            token = self._kernel.identity.operator_token
            headers[internal_traffic.HEADER] = internal_traffic.marker(token, self._project)
        async with self._client.stream(
            request.method, url, headers=headers, content=request.body
        ) as answer:
            return HttpResponse(answer.status_code, dict(answer.headers), await _body(answer))

    def _address(self, request: HttpRequest) -> httpx.URL:
        url = httpx.URL(request.url)
        if request.query:
            query = "&".join(
                part for part in (url.query.decode(), urlencode(request.query)) if part
            )
            url = url.copy_with(query=query.encode())
        if url.host in _EMULATED:
            home = self._home
            url = url.copy_with(scheme=home.scheme, host=home.host, port=home.port)
        return url

    def _is_ours(self, url: httpx.URL) -> bool:
        home = self._home
        return (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)

    async def _authorization(self, url: httpx.URL, auth: Auth) -> str:
        if not self._is_ours(url):
            raise AuthFailed("identities of the local cloud are worth nothing outside it")
        audience = auth.audience or self._audience(url)
        try:
            return "Bearer " + await asyncio.to_thread(self._token, auth.type, audience)
        except ServiceError as error:
            raise AuthFailed(error.message) from error

    def _audience(self, url: httpx.URL) -> str:
        service = _SERVICE.match(url.path)
        return self._kernel.http + (service[0] if service else "")

    def _token(self, kind: str, audience: str) -> str:
        identity = self._kernel.identity
        if kind == "OIDC":
            return identity.id_token(self._account, audience)
        return identity.access_token(self._account)[0]


async def _body(answer: httpx.Response) -> bytes:
    """The body, or the beginning of one that is too large: the interpreter refuses that."""
    found = bytearray()
    async for part in answer.aiter_bytes():
        found += part
        if len(found) > RESPONSE_BYTES:
            break
    return bytes(found)
