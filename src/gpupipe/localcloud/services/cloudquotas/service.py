"""google.api.cloudquotas.v1.CloudQuotas: the limits of `kernel.quotas`, read only."""

import re
from collections.abc import Mapping
from typing import Any

from google.cloud import cloudquotas_v1

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.quotas import DEFAULTS
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_SERVICE = re.compile(r"projects/([^/]+)/locations/global/services/([^/]+)")
_QUOTA = re.compile(_SERVICE.pattern + r"/quotaInfos/([^/]+)")
_PROJECT = int(cloudquotas_v1.QuotaInfo.ContainerType.PROJECT)
_L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
# The one metric and display name that were read somewhere (gcp-facts §1); others stay empty.
_METRICS: Mapping[str, tuple[str, str]] = {
    _L4: (
        "run.googleapis.com/nvidia_l4_gpu_allocation_no_zonal_redundancy",
        "Total Nvidia L4 GPU allocation without zonal redundancy, per project per region",
    )
}


class Quotas:
    """GetQuotaInfo and ListQuotaInfos."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, request: Any, _: Call) -> Any:
        """GetQuotaInfo."""
        match = _QUOTA.fullmatch(request.name)
        if match is None:
            raise invalid_argument(f"Invalid quota name {request.name!r}.", "name")
        project, service, quota_id = match.groups()
        if (service, quota_id) not in DEFAULTS:
            raise not_found(f"Quota {quota_id} of {service} was not found.")  # own words
        return self._message(project, service, quota_id)

    def list(self, request: Any, _: Call) -> Any:
        """ListQuotaInfos; a service without quotas here has an empty list."""
        match = _SERVICE.fullmatch(request.parent)
        if match is None:
            raise invalid_argument(f"Invalid parent {request.parent!r}.", "parent")
        project, service = match.groups()
        ids = [quota_id for name, quota_id in DEFAULTS if name == service]
        page, token = page_of(ids, str, request.page_size, request.page_token)
        return raw(cloudquotas_v1.ListQuotaInfosResponse)(
            quota_infos=[self._message(project, service, quota_id) for quota_id in page],
            next_page_token=token,
        )

    def _message(self, named: str, service: str, quota_id: str) -> Any:
        project = self._kernel.projects.get(named)
        if project is None:
            raise not_found(f"Project {named} was not found.")
        metric, name = _METRICS.get(quota_id, ("", ""))
        parent = f"projects/{project.number}/locations/global/services/{service}"
        info = raw(cloudquotas_v1.QuotaInfo)(
            name=f"{parent}/quotaInfos/{quota_id}",
            quota_id=quota_id,
            metric=metric,
            service=service,
            container_type=_PROJECT,
            dimensions=["region"],
            quota_display_name=name,
        )
        # From the specific to the general, as Google orders them.
        for region in self._kernel.quotas.regions(project.id, service, quota_id):
            info.dimensions_infos.add(
                dimensions={"region": region},
                details={"value": self._kernel.quotas.limit(project.id, service, quota_id, region)},
                applicable_locations=[region],
            )
        info.dimensions_infos.add(details={"value": DEFAULTS[service, quota_id]})
        return info
