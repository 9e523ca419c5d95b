"""Cloud Quotas: how much of Cloud Run a region allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.errors import ApiError

_RUN = "run.googleapis.com"
CPU = "CpuAllocPerProjectRegion"
MEMORY = "MemAllocPerProjectRegion"


@dataclass(frozen=True, slots=True)
class Quota:
    """What is known of one quota: its limits, from the specific to the general, and may it be raised.

    rows: dimensions, locations, value (-1: unlimited). ineligible: Google's word why an increase is
    not to be had, "" where it is.
    """

    rows: tuple[tuple[Mapping[str, str], tuple[str, ...], int], ...]
    ineligible: str

    def limit(self, region: str) -> int | None:
        """The limit in a region; None: not known, or none."""
        value = self._value(region)
        return None if value is None or value < 0 else value

    def allows(self, region: str, wanted: int) -> bool:
        """Whether so much is known to be allowed in a region."""
        value = self._value(region)
        return value is not None and (value < 0 or value >= wanted)

    @property
    def regions(self) -> frozenset[str]:
        """The regions that have a limit of their own."""
        return frozenset(
            region
            for dimensions, locations, _ in self.rows
            for region in (*locations, dimensions.get("region", ""))
            if region
        )

    def _value(self, region: str) -> int | None:
        return next(
            (value for dimensions, locations, value in self.rows
             if _covers(dimensions, locations, region)),
            None,
        )  # fmt: skip


class QuotasApi(Api):
    """The calls that gpupipe needs of Cloud Quotas."""

    def limit(self, project: str, region: str, quota_id: str) -> int | None:
        """The limit in the quota's own unit (milli-CPU, bytes, GPUs); None: not known, or none.

        Only a conclusive answer counts: no API or no row means unknown, not zero. ApiError
        PERMISSION_DENIED where the quotas may not be read.
        """
        quota = self.get(project, quota_id)
        return None if quota is None else quota.limit(region)

    def get(self, project: str, quota_id: str) -> Quota | None:
        """The quota, or None where the API does not know it."""
        name = f"projects/{project}/locations/global/services/{_RUN}/quotaInfos/{quota_id}"
        try:
            info = none_if_missing(
                lambda: self._unary(
                    "Reading the quota", name, self._client.get_quota_info, {"name": name}
                )
            )
        except ApiError as error:
            if error.refusal.code in {"UNIMPLEMENTED", "INVALID_ARGUMENT"}:
                return None
            raise
        if info is None:
            return None
        eligibility = info.quota_increase_eligibility
        return Quota(
            tuple(
                (dict(row.dimensions), tuple(row.applicable_locations), int(row.details.value))
                for row in info.dimensions_infos
            ),
            "" if eligibility.is_eligible else str(eligibility.ineligibility_reason.name),
        )

    def request(self, project: str, region: str, quota_id: str, value: int, email: str) -> str:
        """Ask for more of a quota; what became of it, in words."""
        parent = f"projects/{project}/locations/global"
        name = f"{parent}/quotaPreferences/gpupipe-{quota_id}-{region}"
        preference = {
            "name": name,
            "service": _RUN,
            "quota_id": quota_id,
            "dimensions": {"region": region},
            "quota_config": {"preferred_value": value},
            "contact_email": email,
            "justification": "GPU inference pipeline deployed by gpupipe",
        }
        what = "Asking for more of the quota"
        new = {
            "parent": parent,
            "quota_preference_id": name.rpartition("/")[2],
            "quota_preference": preference,
        }
        try:
            self._unary(what, name, self._client.create_quota_preference, new)
        except ApiError as error:
            if error.refusal.code != "ALREADY_EXISTS":
                raise
            changed = {"quota_preference": preference}
            self._unary(what, name, self._client.update_quota_preference, changed)
        found = self._unary(
            "Reading the request for quota",
            name,
            self._client.get_quota_preference,
            {"name": name},
        )
        granted = int(found.quota_config.granted_value)
        if found.reconciling:
            return f"asked for {value}; Google has not decided yet"
        words = f" ({found.quota_config.state_detail})" if found.quota_config.state_detail else ""
        return f"asked for {value}, granted {granted}{words}"

    @property
    def _client(self) -> Any:
        return self._clients.client("quotas")


def _covers(dimensions: Mapping[str, str], locations: Sequence[str], region: str) -> bool:
    """Rows go from the specific to the general; the first that covers the region holds."""
    return dimensions.get("region") == region or (
        "region" not in dimensions and (not locations or region in locations)
    )
