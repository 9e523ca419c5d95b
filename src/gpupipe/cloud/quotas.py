"""Cloud Quotas: how much of Cloud Run a region allows."""

from collections.abc import Mapping

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.errors import ApiError

CPU = "CpuAllocPerProjectRegion"
MEMORY = "MemAllocPerProjectRegion"
L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
L4_ZONAL = "NvidiaL4GpuAllocPerProjectRegion"


class QuotasApi(Api):
    """The one call that gpupipe needs of Cloud Quotas."""

    def limit(self, project: str, region: str, quota_id: str) -> int | None:
        """The limit in the quota's own unit (milli-CPU, bytes, GPUs); None: not known, or none.

        Only a conclusive answer counts: no API or no row means unknown, not zero. ApiError
        PERMISSION_DENIED where the quotas may not be read.
        """
        name = (
            f"projects/{project}/locations/global/services/run.googleapis.com/quotaInfos/{quota_id}"
        )
        client = self._clients.client("quotas")
        try:
            info = none_if_missing(
                lambda: self._unary(
                    "Reading the quota", name, client.get_quota_info, {"name": name}
                )
            )
        except ApiError as error:
            if error.refusal.code in {"UNIMPLEMENTED", "INVALID_ARGUMENT"}:
                return None
            raise
        for row in info.dimensions_infos if info is not None else ():
            if _covers(dict(row.dimensions), list(row.applicable_locations), region):
                value = int(row.details.value)
                return value if value >= 0 else None  # -1: unlimited
        return None


def _covers(dimensions: Mapping[str, str], locations: list[str], region: str) -> bool:
    """Rows go from the specific to the general; the first that covers the region holds."""
    return dimensions.get("region") == region or (
        "region" not in dimensions and (not locations or region in locations)
    )
