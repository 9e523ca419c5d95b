"""Cloud Billing: whether somebody pays for the project, and which account."""

from typing import Any

from gpupipe.cloud.api import Api


class BillingApi(Api):
    """The one call that gpupipe needs of Cloud Billing."""

    def account(self, project: str) -> str:
        """The billing account's name ("billingAccounts/…"), "" where billing is disabled."""
        name = f"projects/{project}"
        info = self._unary(
            "Reading who pays for the project",
            name,
            self._client.get_project_billing_info,
            {"name": name},
        )
        return str(info.billing_account_name) if info.billing_enabled else ""

    @property
    def _client(self) -> Any:
        return self._clients.client("billing")
