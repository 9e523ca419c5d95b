"""Cloud Billing's surface."""

from collections.abc import Iterable

from google.cloud import billing_v1 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudbilling.service import LINK, READ, CloudBilling
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.billing.v1.CloudBilling", "cloudbilling.googleapis.com")


class CloudBillingSurface(BaseSurface):
    """google.cloud.billing.v1.CloudBilling: the one account, and the link of a project to it."""

    def __init__(self, kernel: Kernel) -> None:
        self._billing = CloudBilling(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """Reading the account, reading and changing the link."""
        do = self._billing
        types = (pb.GetBillingAccountRequest, pb.BillingAccount)
        yield _TABLE.row("GetBillingAccount", types, do.account, "", "name")
        types = (pb.ListBillingAccountsRequest, pb.ListBillingAccountsResponse)
        yield _TABLE.row("ListBillingAccounts", types, do.accounts, "", lambda _: "")
        info = pb.ProjectBillingInfo
        types = (pb.GetProjectBillingInfoRequest, info)
        yield _TABLE.row("GetProjectBillingInfo", types, do.get, READ, "name")
        types = (pb.UpdateProjectBillingInfoRequest, info)
        yield _TABLE.row("UpdateProjectBillingInfo", types, do.update, LINK, "name", writes=True)


def build(kernel: Kernel, _: Pipeline) -> CloudBillingSurface:
    """The factory for `registry.SERVICES`."""
    return CloudBillingSurface(kernel)
