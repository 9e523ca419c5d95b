"""Cloud KMS: who may use a key. Its client library is not installed for the one call: plain REST."""

from typing import Any

from gpupipe.cloud.api import Api, json_of
from gpupipe.cloud.call import TIMEOUT_S

ENCRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
"""The role that a service agent needs on a key."""


class KeysApi(Api):
    """The one call that gpupipe needs of Cloud KMS."""

    def encrypters(self, key: str) -> frozenset[str]:
        """The members that have the role on the key itself; it may also come from above."""
        session, base = self._clients.session("cloudkms")
        url = f"{base}/v1/{key}:getIamPolicy"

        def attempt() -> Any:
            return json_of(session.get(url, timeout=TIMEOUT_S))

        policy = self._call("Reading who may use the key", key, attempt)
        return frozenset(
            str(member)
            for binding in policy.get("bindings", ())
            if binding.get("role") == ENCRYPTER
            for member in binding.get("members", ())
        )
