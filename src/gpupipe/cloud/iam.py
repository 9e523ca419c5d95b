"""IAM: service accounts, and identity tokens minted for one of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing, poll
from gpupipe.cloud.errors import ApiError
from gpupipe.core.errors import GpupipeError

_VISIBLE_S = 180.0
RESTORABLE = timedelta(days=30)
"""For how long Google can restore an account that was deleted."""


@dataclass(frozen=True, slots=True)
class Account:
    """A service account."""

    email: str
    display_name: str
    description: str


class IamApi(Api):
    """The calls that gpupipe needs of IAM."""

    def get(self, project: str, email: str) -> Account | None:
        """The account, or None."""
        name = f"projects/{project}/serviceAccounts/{email}"
        found = none_if_missing(
            lambda: self._unary(
                "Reading the service account",
                name,
                self._client.get_service_account,
                {"name": name},
            )
        )
        return None if found is None else _account(found)

    def accounts(self, project: str) -> tuple[Account, ...]:
        """The project's service accounts; none where the API is not enabled."""
        parent = f"projects/{project}"
        found = none_if_missing(
            lambda: self._all(
                "Listing service accounts",
                parent,
                self._client.list_service_accounts,
                {"name": parent, "page_size": 100},
            )
        )
        return tuple(_account(one) for one in found or ())

    def create(self, project: str, account_id: str, display_name: str, description: str) -> str:
        """Make an account and wait until it can be read; its e-mail."""
        created = self._unary(
            "Creating the service account",
            f"projects/{project}/serviceAccounts/{account_id}",
            self._client.create_service_account,
            {
                "name": f"projects/{project}",
                "account_id": account_id,
                "service_account": {"display_name": display_name, "description": description},
            },
        )
        email = str(created.email)
        self.wait_until_visible(project, email)
        return email

    def wait_until_visible(self, project: str, email: str) -> None:
        """Wait until a new account can be read; a new one is denied as one that may not exist."""
        denied: ApiError | None = None

        def seen() -> Account | None:
            nonlocal denied
            denied = None
            try:
                return self.get(project, email)
            except ApiError as error:
                if error.refusal.code != "PERMISSION_DENIED":
                    raise
                denied = error
                return None

        poll(
            self._caller,
            f"the service account {email.partition('@')[0]} to be visible",
            seen,
            deadline_s=_VISIBLE_S,
            # What is still denied when the time is up is more likely a permission that is missing.
            error=lambda: denied or _not_visible(email),
        )

    def describe(self, project: str, wanted: Account) -> None:
        """Set display name and description."""
        name = f"projects/{project}/serviceAccounts/{wanted.email}"
        self._unary(
            "Updating the service account",
            name,
            self._client.patch_service_account,
            {
                "service_account": {
                    "name": name,
                    "display_name": wanted.display_name,
                    "description": wanted.description,
                },
                "update_mask": {"paths": ["display_name", "description"]},
            },
        )

    def delete(self, project: str, email: str) -> datetime | None:
        """Delete an account; until when Google can restore it, None where it was gone already."""
        name = f"projects/{project}/serviceAccounts/{email}"

        def attempt() -> bool:
            self._unary(
                "Deleting the service account",
                name,
                self._client.delete_service_account,
                {"name": name},
            )
            return True

        return self._caller.clock.now() + RESTORABLE if none_if_missing(attempt) else None

    def id_token(self, email: str, audience: str) -> str:
        """An identity token of the account for an audience (needs getOpenIdToken on it)."""
        name = f"projects/-/serviceAccounts/{email}"
        answer = self._unary(
            "Asking for an identity token",
            name,
            self._clients.client("credentials").generate_id_token,
            {"name": name, "audience": audience, "include_email": True},
        )
        return str(answer.token)

    @property
    def _client(self) -> Any:
        return self._clients.client("iam")


def _account(found: Any) -> Account:
    return Account(str(found.email), str(found.display_name), str(found.description))


def _not_visible(email: str) -> GpupipeError:
    return GpupipeError(
        "A new service account did not become visible in time.",
        resource=email,
        resolution="Run the same command again: it adopts the account.",
        doc="reference/errors.md#propagation",
    )
