"""Organization Policy's surface."""

from collections.abc import Iterable

from google.cloud import orgpolicy_v2 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.orgpolicy.service import PERMISSION, OrgPolicies, Policy
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.orgpolicy.v2.OrgPolicy", "orgpolicy.googleapis.com")


class OrgPolicySurface(BaseSurface):
    """google.cloud.orgpolicy.v2.OrgPolicy, reading what is in force."""

    def __init__(self, kernel: Kernel) -> None:
        self._policies = OrgPolicies(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The one method."""
        do = self._policies
        types = (pb.GetEffectivePolicyRequest, Policy)
        yield _TABLE.row("GetEffectivePolicy", types, do.effective, PERMISSION, do.resource_of)


def build(kernel: Kernel, _: Pipeline) -> OrgPolicySurface:
    """The factory for `registry.SERVICES`."""
    return OrgPolicySurface(kernel)
