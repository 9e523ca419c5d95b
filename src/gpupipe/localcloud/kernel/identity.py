"""Who somebody is: the operator, service accounts, their access and identity tokens.

The operator's token lives in a 0600 file; all others are random and stored hashed. Identity tokens
are signed with this local cloud's own key and are worth nothing outside it.
"""

import hmac
import secrets
from datetime import datetime, timedelta

from gpupipe.core.clock import Clock
from gpupipe.localcloud.errors import Code, Details, ServiceError
from gpupipe.localcloud.kernel.access_tokens import AccessTokens
from gpupipe.localcloud.kernel.accounts import Account, Accounts
from gpupipe.localcloud.kernel.agents import ServiceAgents
from gpupipe.localcloud.kernel.caller import OPERATOR, Caller
from gpupipe.localcloud.kernel.delays import Delays
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.kernel.secret_file import keep_secret
from gpupipe.localcloud.kernel.signing import Signer, TokenError
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.store.database import Database

_HOUR_S = 3600
_ACCOUNT = "serviceAccount:"


class Identity:
    """Accounts and tokens. `issuer` is the HTTP listener's address, set when it has its port."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        policies: Policies,
        agents: ServiceAgents,
        delays: Delays,
    ) -> None:
        self._clock = clock
        self._agents = agents
        self._accounts = Accounts(database, policies, delays)
        self._tokens = AccessTokens(database, clock)
        self._signer = Signer(settings.signing_key)
        self.issuer = ""
        self.operator_token = keep_secret(settings.token, _new_token).decode().strip()
        # Lives as long as this process: the credentials file that holds it names our port.
        self.refresh_token = secrets.token_urlsafe(32)

    def account(self, email: str) -> Account | None:
        """The service account with this address (or unique id), or None."""
        return self._accounts.find(email)

    def accounts(self, project: str) -> tuple[Account, ...]:
        """The service accounts of a project, by address."""
        return self._accounts.of_project(project)

    def create_account(
        self, project: str, account_id: str, display_name: str = "", description: str = ""
    ) -> Account:
        """A new service account of a project id; ALREADY_EXISTS or INVALID_ARGUMENT."""
        return self._accounts.create(project, account_id, display_name, description)

    def update_account(
        self,
        email: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Change what is given; NOT_FOUND for an account that is not there."""
        return self._accounts.update(
            email, display_name=display_name, description=description, disabled=disabled
        )

    def delete_account(self, email: str) -> None:
        """Remove an account: its tokens end, bindings show it as deleted; NOT_FOUND."""
        account = self._accounts.delete(email)
        self._tokens.revoke(_ACCOUNT + account.email)

    def knows(self, member: str) -> bool:
        """Whether a member of a policy exists: an account or an agent; people are not checked."""
        if not member.startswith(_ACCOUNT):
            return True
        email = member.removeprefix(_ACCOUNT)
        return self.account(email) is not None or self._agents.exists(email)

    def authenticate(self, bearer: str) -> Caller:
        """The caller that an access token stands for; UNAUTHENTICATED when it stands for none."""
        if hmac.compare_digest(bearer.encode(), self.operator_token.encode()):
            return OPERATOR
        member = self._tokens.member(bearer)
        if member is None:
            raise unauthenticated("the access token is unknown or has expired")
        if member.startswith(_ACCOUNT):
            self._check_usable(member.removeprefix(_ACCOUNT))
        return Caller(member)

    def access_token(self, email: str, lifetime_s: float = _HOUR_S) -> tuple[str, datetime]:
        """An access token of a service account (or agent), with its end."""
        self._check_usable(email)
        return self._tokens.issue(_ACCOUNT + email, lifetime_s)

    def operator_access_token(self, lifetime_s: float = _HOUR_S) -> tuple[str, datetime]:
        """A passing access token of the operator, for the credentials file's refresh."""
        return self._tokens.issue(OPERATOR.member, lifetime_s)

    def id_token(self, email: str, audience: str, lifetime_s: float = _HOUR_S) -> str:
        """An identity token of a service account for one audience."""
        account = self._enabled_account(email)
        now = self._clock.now()
        claims = {
            "iss": self.issuer,
            "sub": account.unique_id,
            "azp": account.unique_id,
            "aud": audience,
            "email": account.email,
            "email_verified": True,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(seconds=lifetime_s)).timestamp()),
        }
        return self._signer.sign(claims)

    def verify_id_token(self, token: str, audience: str) -> str:
        """The account's address; UNAUTHENTICATED with the reason for any token that is not good."""
        try:
            claims = self._signer.claims(token)
        except TokenError as error:
            raise unauthenticated(f"the identity token is not valid: {error}") from error
        if claims.get("iss") != self.issuer:
            raise unauthenticated("the identity token has another issuer")
        if claims.get("aud") != audience:
            raise unauthenticated(f"the identity token is not for the audience {audience}")
        if claims.get("exp", 0) <= self._clock.now().timestamp():
            raise unauthenticated("the identity token has expired")
        account = self._enabled_account(str(claims.get("email", "")))
        if account.unique_id != claims.get("sub"):
            raise unauthenticated("the identity token is of a deleted account of the same name")
        return account.email

    def public_keys(self) -> dict[str, object]:
        """The key set (RFC 7517) that verifies identity tokens."""
        return self._signer.public_keys()

    def _check_usable(self, email: str) -> None:
        """UNAUTHENTICATED unless it is an agent or an account that is enabled."""
        if not self._agents.exists(email):
            self._enabled_account(email)

    def _enabled_account(self, email: str) -> Account:
        account = self.account(email)
        if account is None or account.disabled:
            state = "does not exist" if account is None else "is disabled"
            raise unauthenticated(f"the service account {email} {state}")
        return account


def unauthenticated(reason: str) -> ServiceError:
    """The refusal of a caller that nobody knows, with the reason (own words)."""
    return ServiceError(
        Code.UNAUTHENTICATED,
        f"Request had invalid authentication credentials: {reason}.",
        Details(reason="ACCESS_TOKEN_INVALID"),
    )


def _new_token() -> bytes:
    return secrets.token_urlsafe(32).encode()
