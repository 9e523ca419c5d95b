"""google.iam.credentials.v1.IAMCredentials: tokens of accounts for those who may ask for them."""

import re
from typing import Any

from google.cloud import iam_credentials_v1

from gpupipe.localcloud.errors import (
    failed_precondition,
    invalid_argument,
    not_found,
    unimplemented,
)
from gpupipe.localcloud.kernel.accounts import Account
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_NAME = re.compile(r"projects/-/serviceAccounts/([^/]+)")
_LONGEST_S = 3600  # GenerateAccessTokenRequest.lifetime, without an organization policy
_SCOPES = "https://www.googleapis.com/auth/"
_WHOLE = f"{_SCOPES}cloud-platform"


class Credentials:
    """Access tokens and identity tokens."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def resource_of(self, request: Any) -> str:
        """The account's own name, on which the permission is checked."""
        match = _NAME.fullmatch(request.name)
        if match is None:
            # GenerateIdTokenRequest.name: the wildcard is required in place of the project
            raise invalid_argument(
                f"Invalid name {request.name!r}: expected projects/-/serviceAccounts/ACCOUNT.",
                "name",
            )
        account = self._kernel.identity.account(match[1])
        return str(request.name) if account is None else account.name

    def id_token(self, request: Any, _: Call) -> Any:
        """GenerateIdToken: of the account, for one audience."""
        if not request.audience:
            raise invalid_argument("The audience is required.", "audience")
        token = self._kernel.identity.id_token(self._account(request).email, request.audience)
        return raw(iam_credentials_v1.GenerateIdTokenResponse)(token=token)

    def access_token(self, request: Any, _: Call) -> Any:
        """GenerateAccessToken: an hour at most."""
        if not request.scope:
            raise invalid_argument("At least one scope is required.", "scope")
        _check_scopes(set(request.scope))
        seconds = request.lifetime.ToNanoseconds() / 1e9 or _LONGEST_S
        if not 0 < seconds <= _LONGEST_S:
            raise invalid_argument(f"The lifetime is at most {_LONGEST_S} s.", "lifetime")
        email = self._account(request).email
        token, expires = self._kernel.identity.access_token(email, seconds)
        answer = raw(iam_credentials_v1.GenerateAccessTokenResponse)(access_token=token)
        # In whole seconds, as google.auth reads it.
        answer.expire_time.FromDatetime(expires.replace(microsecond=0))
        return answer

    def _account(self, request: Any) -> Account:
        if request.delegates:
            raise unimplemented("chains of delegates")
        account = self._kernel.identity.account(request.name.rpartition("/")[2])
        if account is None:
            raise not_found("Unknown service account")
        if account.disabled:
            # own knowledge: code and words are UNSURE
            raise failed_precondition(f"Service account {account.email} is disabled.")
        return account


def _check_scopes(scopes: set[str]) -> None:
    """A token that can do more than its scopes say would hide a mistake.

    What a token may do is the union of its scopes: beside the widest, others (gcloud asks for
    several) add nothing.
    """
    for scope in sorted(scopes - {_WHOLE}):
        if _WHOLE not in scopes or not (scope.startswith(_SCOPES) or scope == "openid"):
            raise unimplemented(f"access tokens of the scope {scope}: only {_WHOLE}")
