"""IAM's surface."""

from collections.abc import Iterable

from google.cloud import iam_admin_v1 as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.iam.service import Accounts
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.iam.admin.v1.IAM", "iam.googleapis.com")
_PERMISSION = "iam.serviceAccounts"


class Iam(BaseSurface):
    """google.iam.admin.v1.IAM."""

    def __init__(self, kernel: Kernel) -> None:
        self._accounts = Accounts(kernel)
        self._policies = PolicyMethods(
            kernel,
            _PERMISSION,
            self._accounts.policy_name,
            resource=lambda request: self._accounts.name_of(request.resource),
        )

    def rpcs(self) -> Iterable[Rpc]:
        """Service accounts and their policies."""
        do, of = self._accounts, self._accounts.name_of
        account = pb.ServiceAccount
        lists = (pb.ListServiceAccountsRequest, pb.ListServiceAccountsResponse)
        yield _TABLE.row("ListServiceAccounts", lists, do.list, f"{_PERMISSION}.list", "name")
        yield _TABLE.row(
            "GetServiceAccount",
            (pb.GetServiceAccountRequest, account),
            do.get,
            f"{_PERMISSION}.get",
            lambda request: of(request.name),
        )
        yield _TABLE.row(
            "CreateServiceAccount",
            (pb.CreateServiceAccountRequest, account),
            do.create,
            f"{_PERMISSION}.create",
            "name",
            writes=True,
        )
        yield _TABLE.row(
            "PatchServiceAccount",
            (pb.PatchServiceAccountRequest, account),
            do.patch,
            f"{_PERMISSION}.update",
            lambda request: of(request.service_account.name),
            writes=True,
        )
        for method, request_type, answer, handler, verb in (
            ("UpdateServiceAccount", account, account, do.update, "update"),
            ("DeleteServiceAccount", pb.DeleteServiceAccountRequest, Empty, do.delete, "delete"),
            ("EnableServiceAccount", pb.EnableServiceAccountRequest, Empty, do.enable, "enable"),
            ("DisableServiceAccount", pb.DisableServiceAccountRequest, Empty, do.disable,
             "disable"),
        ):  # fmt: skip
            yield _TABLE.row(
                method,
                (request_type, answer),
                handler,
                f"{_PERMISSION}.{verb}",
                lambda request: of(request.name),
                writes=True,
            )
        yield from self._policies.rows(_TABLE)


def build(kernel: Kernel, _: Pipeline) -> Iam:
    """The factory for `registry.SERVICES`."""
    return Iam(kernel)
