"""Cloud Quotas' surface."""

from collections.abc import Iterable

from google.cloud import cloudquotas_v1 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudquotas.service import Quotas
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.api.cloudquotas.v1.CloudQuotas", "cloudquotas.googleapis.com")
_GET = "cloudquotas.quotas.get"


class CloudQuotas(BaseSurface):
    """google.api.cloudquotas.v1.CloudQuotas; asking for more is not emulated."""

    def __init__(self, kernel: Kernel) -> None:
        self._quotas = Quotas(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """Reading quotas."""
        do = self._quotas
        yield _TABLE.row("GetQuotaInfo", (pb.GetQuotaInfoRequest, pb.QuotaInfo), do.get, _GET,
                         "name")  # fmt: skip
        types = (pb.ListQuotaInfosRequest, pb.ListQuotaInfosResponse)
        yield _TABLE.row("ListQuotaInfos", types, do.list, _GET, "parent")


def build(kernel: Kernel, _: Pipeline) -> CloudQuotas:
    """The factory for `registry.SERVICES`."""
    return CloudQuotas(kernel)
