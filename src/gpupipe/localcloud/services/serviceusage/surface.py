"""Service Usage's surface."""

from collections.abc import Iterable

from google.cloud import service_usage_v1 as su
from google.longrunning.operations_pb2 import Operation
from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.serviceusage.agents import METHOD, ServiceIdentities
from gpupipe.localcloud.services.serviceusage.rules import API
from gpupipe.localcloud.services.serviceusage.service import ServiceUsage
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.api.serviceusage.v1.ServiceUsage", API)
_GET, _LIST = "serviceusage.services.get", "serviceusage.services.list"
_ENABLE, _DISABLE = "serviceusage.services.enable", "serviceusage.services.disable"


class ServiceUsageSurface(BaseSurface):
    """google.api.serviceusage.v1, and one method of v1beta1."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline) -> None:
        self._service = ServiceUsage(kernel)
        self._identities = ServiceIdentities(kernel, pipeline)

    def rpcs(self) -> Iterable[Rpc]:
        """All but the operations, which are in one service for all APIs."""
        do, row = self._service, _TABLE.row
        yield row("GetService", (su.GetServiceRequest, su.Service), do.get, _GET, "name")
        yield row(
            "BatchGetServices",
            (su.BatchGetServicesRequest, su.BatchGetServicesResponse),
            do.batch_get,
            _GET,
            "parent",
        )
        types = (su.ListServicesRequest, su.ListServicesResponse)
        yield row("ListServices", types, do.list, _LIST, "parent")
        changes = (
            ("EnableService", su.EnableServiceRequest, do.enable, _ENABLE, "name"),
            ("BatchEnableServices", su.BatchEnableServicesRequest, do.batch_enable, _ENABLE,
             "parent"),
            ("DisableService", su.DisableServiceRequest, do.disable, _DISABLE, "name"),
        )  # fmt: skip
        for method, request, handler, permission, resource in changes:
            yield row(method, (request, Operation), handler, permission, resource, writes=True)

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows, and generateServiceIdentity."""
        yield from super().fault_points()
        yield FaultPoint(METHOD)

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also that of generateServiceIdentity."""
        yield from super().permissions()
        yield METHOD, _ENABLE

    def routes(self) -> Iterable[BaseRoute]:
        """generateServiceIdentity."""
        yield self._identities.route()


def build(kernel: Kernel, pipeline: Pipeline) -> ServiceUsageSurface:
    """The factory for `registry.SERVICES`."""
    return ServiceUsageSurface(kernel, pipeline)
