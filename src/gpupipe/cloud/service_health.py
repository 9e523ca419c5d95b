"""GET /health of a Cloud Run service, with an identity token. No API of Google's: a service of ours."""

from collections.abc import Mapping
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.clients import module
from gpupipe.core.errors import GpupipeError

# An instance may have to start first, and load its model.
_TIMEOUT_S = 150.0
_LOOPBACK = "http://127.0.0.1:"


class ServiceHealthApi(Api):
    """The one call."""

    def ask(self, uri: str, token: str) -> tuple[int, Mapping[str, Any]]:
        """Status, and what the service says of itself (empty where that is no JSON object).

        GpupipeError where the token would leave this machine in the clear.
        """
        if not uri.startswith(("https://", _LOOPBACK)):
            raise GpupipeError(
                "The service was not asked: its address is not one of HTTPS.",
                resource=uri,
                resolution="Run `gpupipe deploy`: it reads the service's address anew.",
                doc="reference/errors.md",
            )
        session = module("requests").Session()
        # A proxy of the shell must not get a loopback call.
        session.trust_env = not uri.startswith(_LOOPBACK)
        headers = {"Authorization": f"Bearer {token}"}

        def attempt() -> tuple[int, Mapping[str, Any]]:
            answer = session.get(
                f"{uri}/health", headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
            )
            try:
                said = answer.json()
            except ValueError:
                said = {}
            return answer.status_code, said if isinstance(said, dict) else {}

        # One attempt: what it says now is the answer.
        return self._caller.call("Asking for the health", uri, attempt, idempotent=False)
