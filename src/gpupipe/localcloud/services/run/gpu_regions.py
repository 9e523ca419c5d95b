"""Where Cloud Run has which GPUs: a dated table, and the way past it.

The table is what the documentation said in November 2026, regions by invitation included; whether it
is complete is UNSURE. A quota that was set by hand for a region (`Quotas.set`) opens it: so a region
that Google adds does not wait for a release.
"""

from typing import Protocol

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.services.run.names import API, ServiceName
from gpupipe.localcloud.services.run.quotas import gpu_quota
from gpupipe.localcloud.services.run.rule import Shape

REGIONS = {
    "nvidia-l4": frozenset(
        {
            "asia-south1",
            "asia-southeast1",
            "europe-west1",
            "europe-west4",
            "us-central1",
            "us-east4",
        }
    ),
    "nvidia-rtx-pro-6000": frozenset(
        {"asia-south2", "asia-southeast1", "europe-west4", "us-central1"}
    ),
}
_PATH = "service.template.node_selector.accelerator"


class Regions(Protocol):
    """Where quotas were set by hand."""

    def regions(self, project: str, service: str, quota_id: str) -> tuple[str, ...]:
        """The regions where the limit of one quota is not the default one."""


def check(quotas: Regions, name: ServiceName, shape: Shape) -> None:
    """INVALID_ARGUMENT for a GPU in a region that has none of its kind (code and words: ours)."""
    if not shape.has_gpu:
        return
    accelerator = shape.template.node_selector.accelerator
    if name.region in REGIONS[accelerator]:
        return
    if name.region in quotas.regions(name.project, API, gpu_quota(shape.template)):
        return
    known = ", ".join(sorted(REGIONS[accelerator]))
    raise invalid_argument(
        f"{accelerator} is not available in {name.region}. Regions with it: {known}.", _PATH
    )
