"""google.cloud.billing.v1.CloudBilling: which account pays for a project. Nothing is charged here."""

from typing import Any

from google.cloud import billing_v1

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.authorization import denied
from gpupipe.localcloud.kernel.billing import ACCOUNT
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

READ = "resourcemanager.projects.get"
LINK = "resourcemanager.projects.createBillingAssignment"


class CloudBilling:
    """Reads and changes the link between a project and the one billing account."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, request: Any, _: Call) -> Any:
        """GetProjectBillingInfo."""
        return self._message(self._project(request.name))

    def update(self, request: Any, _: Call) -> Any:
        """UpdateProjectBillingInfo: link the account, or "" to disable billing."""
        project = self._project(request.name)
        account = request.project_billing_info.billing_account_name
        if account not in {"", ACCOUNT}:
            raise invalid_argument(
                f"The local cloud has one billing account, {ACCOUNT}; got {account!r}.",
                "project_billing_info.billing_account_name",
            )
        self._kernel.billing.link(project.id, account)
        return self._message(project)

    def account(self, request: Any, call: Call) -> Any:
        """GetBillingAccount; the account lies in no project, and nobody but the operator sees it."""
        if request.name != ACCOUNT or not call.caller.is_operator:
            raise denied("billing.accounts.get", request.name)
        return _account()

    def accounts(self, request: Any, call: Call) -> Any:
        """ListBillingAccounts: those that the caller sees."""
        if request.parent or request.filter:
            raise unimplemented("accounts below a parent, or a filter")
        found = [_account()] if call.caller.is_operator else []
        return raw(billing_v1.ListBillingAccountsResponse)(billing_accounts=found)

    def _project(self, name: str) -> Project:
        kind, _, named = name.partition("/")
        project = self._kernel.projects.get(named) if kind == "projects" else None
        if project is None:
            raise denied(READ, name)
        return project

    def _message(self, project: Project) -> Any:
        account = self._kernel.billing.account(project.id)
        return raw(billing_v1.ProjectBillingInfo)(
            name=f"projects/{project.id}/billingInfo",
            project_id=project.id,
            billing_account_name=account,
            billing_enabled=bool(account),
        )


def _account() -> Any:
    return raw(billing_v1.BillingAccount)(
        name=ACCOUNT, open_=True, display_name="Local cloud", currency_code="USD"
    )
