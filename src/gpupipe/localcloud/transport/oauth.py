"""The OAuth token endpoint and key set: what a credentials file of this local cloud points to."""

import hmac
import json
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.secret_file import write_secret
from gpupipe.localcloud.transport.rpc import BaseSurface

_CLIENT_ID = "gpupipe-local"
_MAX_BODY = 16_384
_LIFETIME_S = 3600


class OAuth(BaseSurface):
    """POST /token for the operator's credentials file; GET /oauth2/v1/certs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def routes(self) -> Iterable[BaseRoute]:
        """Both are token-free; the first takes nothing but the right refresh token."""
        yield Route("/token", self._token, methods=["POST"])
        yield Route("/oauth2/v1/certs", self._certs, methods=["GET"])

    def write_credentials(self) -> None:
        """The operator's application default credentials, for any Google client library.

        Of this type because the library always sends the refresh token of an `authorized_user` file
        to Google, whatever its token_uri says; and with an audience that is no workforce pool,
        because for one it would ask Google where the caller may go.
        """
        credentials = {
            "type": "external_account_authorized_user",
            "audience": "//gpupipe.test/operator",
            "client_id": _CLIENT_ID,
            "client_secret": _CLIENT_ID,
            "refresh_token": self._kernel.identity.refresh_token,
            "token_url": f"{self._kernel.http}/token",
            "universe_domain": "googleapis.com",
        }
        body = json.dumps(credentials, indent=2).encode() + b"\n"
        write_secret(self._kernel.settings.credentials, body)

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return _error("invalid_request", "The form is too large.")
        if form.get("grant_type") != "refresh_token":
            return _error("unsupported_grant_type", "Only refresh_token is emulated.")
        given, right = form.get("refresh_token", ""), self._kernel.identity.refresh_token
        if not hmac.compare_digest(given.encode(), right.encode()):
            return _error("invalid_grant", "The refresh token is not of this local cloud's run.")
        token, _ = self._kernel.identity.operator_access_token(_LIFETIME_S)
        return JSONResponse(
            {"access_token": token, "expires_in": _LIFETIME_S, "token_type": "Bearer"},
            headers={"Cache-Control": "no-store"},
        )

    async def _certs(self, _: Request) -> Response:
        return JSONResponse(self._kernel.identity.public_keys())


async def _form(request: Request) -> dict[str, str] | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return None
    return {key: values[0] for key, values in parse_qs(body.decode("latin-1")).items()}


def _error(code: str, description: str) -> Response:
    return JSONResponse({"error": code, "error_description": description}, 400)
