"""google.api.cloudquotas.v1.CloudQuotas: the limits of `kernel.quotas`."""

from collections.abc import Mapping
from typing import Any

from google.cloud import cloudquotas_v1

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.kernel.quotas import DEFAULTS
from gpupipe.localcloud.services.cloudquotas.names import parse
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_SERVICE = "/services/([^/]+)"
_QUOTA = _SERVICE + "/quotaInfos/([^/]+)"
_NO_BILLING = int(
    cloudquotas_v1.QuotaIncreaseEligibility.IneligibilityReason.NO_VALID_BILLING_ACCOUNT
)
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
        project, (service, quota_id) = parse(self._kernel.projects, request.name, _QUOTA)
        if (service, quota_id) not in DEFAULTS:
            raise not_found(f"Quota {quota_id} of {service} was not found.")  # own words
        return self._message(project, service, quota_id)

    def list(self, request: Any, _: Call) -> Any:
        """ListQuotaInfos; a service without quotas here has an empty list."""
        project, (service,) = parse(self._kernel.projects, request.parent, _SERVICE, "parent")
        ids = [quota_id for name, quota_id in DEFAULTS if name == service]
        page, token = page_of(ids, str, request.page_size, request.page_token)
        return raw(cloudquotas_v1.ListQuotaInfosResponse)(
            quota_infos=[self._message(project, service, quota_id) for quota_id in page],
            next_page_token=token,
        )

    def _message(self, project: Project, service: str, quota_id: str) -> Any:
        paid = bool(self._kernel.billing.account(project.id))
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
            quota_increase_eligibility={
                "is_eligible": paid,
                "ineligibility_reason": 0 if paid else _NO_BILLING,
            },
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
