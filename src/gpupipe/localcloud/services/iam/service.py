"""google.iam.admin.v1.IAM, service accounts: the handlers. Keys are not emulated."""

from typing import Any

from google.cloud import iam_admin_v1
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.accounts import Account
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.iam import rules
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

ServiceAccount = raw(iam_admin_v1.ServiceAccount)


class Accounts:
    """Service accounts, named projects/P/serviceAccounts/EMAIL (or unique id; P may be "-")."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def name_of(self, name: str) -> str:
        """The account's own name for any form of it; the given one when there is none."""
        account = self._find(name)
        return name if account is None else account.name

    def get(self, request: Any, _: Call) -> Any:
        """GetServiceAccount."""
        return _message(self._existing(request.name))

    def list(self, request: Any, _: Call) -> Any:
        """ListServiceAccounts."""
        accounts = self._kernel.identity.accounts(self._project(request.name))
        page, token = page_of(
            accounts, lambda one: one.email, request.page_size, request.page_token
        )
        return raw(iam_admin_v1.ListServiceAccountsResponse)(
            accounts=[_message(account) for account in page], next_page_token=token
        )

    def create(self, request: Any, _: Call) -> Any:
        """CreateServiceAccount."""
        wanted = request.service_account
        rules.check_texts(wanted.display_name, wanted.description)
        return _message(
            self._kernel.identity.create_account(
                self._project(request.name),
                request.account_id,
                wanted.display_name,
                wanted.description,
            )
        )

    def patch(self, request: Any, _: Call) -> Any:
        """PatchServiceAccount: display name and description, as the mask says."""
        paths = list(request.update_mask.paths)
        rules.check_mask(paths)
        wanted, account = request.service_account, self._existing(request.service_account.name)
        rules.check_texts(wanted.display_name, wanted.description)
        return _message(
            self._kernel.identity.update_account(
                account.email,
                display_name=wanted.display_name if "display_name" in paths else None,
                description=wanted.description if "description" in paths else None,
            )
        )

    def update(self, wanted: Any, _: Call) -> Any:
        """UpdateServiceAccount: the display name, as this older method has it."""
        rules.check_texts(wanted.display_name, "")
        account = self._existing(wanted.name)
        return _message(
            self._kernel.identity.update_account(account.email, display_name=wanted.display_name)
        )

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteServiceAccount; bindings show it as deleted from then on."""
        self._kernel.identity.delete_account(self._existing(request.name).email)
        return Empty()

    def enable(self, request: Any, _: Call) -> Empty:
        """EnableServiceAccount."""
        self._kernel.identity.update_account(self._existing(request.name).email, disabled=False)
        return Empty()

    def disable(self, request: Any, _: Call) -> Empty:
        """DisableServiceAccount: its tokens are worth nothing while it is."""
        self._kernel.identity.update_account(self._existing(request.name).email, disabled=True)
        return Empty()

    def policy_name(self, resource: str) -> str:
        """The name that an account's policy is kept under."""
        return self._existing(resource).name

    def _project(self, name: str) -> str:
        kind, _, named = name.partition("/")
        project = self._kernel.projects.get(named) if kind == "projects" else None
        if project is None:
            raise invalid_argument(f"Invalid parent {name!r}: expected projects/PROJECT.", "name")
        return project.id

    def _existing(self, name: str) -> Account:
        account = self._find(name)
        if account is None:
            raise not_found("Unknown service account")  # gcp-facts §6
        return account

    def _find(self, name: str) -> Account | None:
        named, key = rules.parts(name)
        account = self._kernel.identity.account(key)
        if account is None or named == "-":
            return account
        project = self._kernel.projects.get(named)
        return account if project is not None and project.id == account.project else None


def _message(account: Account) -> Any:
    return ServiceAccount(
        name=account.name,
        project_id=account.project,
        unique_id=account.unique_id,
        email=account.email,
        display_name=account.display_name,
        description=account.description,
        oauth2_client_id=account.unique_id,
        disabled=account.disabled,
    )
