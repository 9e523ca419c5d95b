"""What a region can give a service: GPUs at all, and how many instances the quotas allow.

Quotas count GPU, CPU and memory, each for instances x size of one service.
"""

from dataclasses import dataclass

from gpupipe.cloud.errors import is_code
from gpupipe.cloud.quotas import CPU, L4, L4_ZONAL, MEMORY
from gpupipe.core.config import GpuServiceConfig
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.quantities import memory_bytes, memory_text, milli_cpu
from gpupipe.deploy.step import World

DEFAULT_MAX = 10
_GPU_LINK = "https://g.co/cloudrun/gpu-quota"
_LINK = "https://console.cloud.google.com/iam-admin/quotas?project={project}"

# Google's page on GPUs for services (run/docs/configuring/services/gpu), as read on that day. The
# list ages, so a region that it lacks is tried all the same.
_READ_ON = "2026-11-23"
_L4_REGIONS = (
    "asia-south1",
    "asia-southeast1",
    "europe-west1",
    "europe-west4",
    "us-central1",
    "us-east4",
)
_BY_INVITATION = frozenset({"asia-south1"})


@dataclass(frozen=True, slots=True)
class Limit:
    """The quota that binds: its id, how much it allows, and how many instances fit."""

    quota: str
    allowed: int
    fits: int

    @property
    def amount(self) -> str:
        """How much it allows, in people's units."""
        if self.quota == CPU:
            return f"{self.allowed / 1000:g} CPU"
        return memory_text(self.allowed) if self.quota == MEMORY else f"{self.allowed} GPUs"

    def link(self, project: str) -> str:
        """Where more of it is asked for."""
        return _LINK.format(project=project) if self.quota in {CPU, MEMORY} else _GPU_LINK


def region_note(region: str) -> str | None:
    """What to tell about GPUs in a region, or None where the documentation lists it."""
    if region in _BY_INVITATION:
        return f"gpu-inference: Google gives L4 GPUs in {region} by invitation (as of {_READ_ON})."
    if region in _L4_REGIONS:
        return None
    return (
        f"gpu-inference: {region} is not among the regions where Google documented L4 GPUs on "
        f"{_READ_ON}: {', '.join(_L4_REGIONS)}. The deploy tries it all the same."
    )


def max_instances(world: World, service: str) -> tuple[int, str | None]:
    """The maximum to deploy, and a note where the default was lowered.

    A maximum that the user set and that does not fit is a blocker (GpupipeError); so are quotas
    that may not be read where the user set none. Quotas that are not known do not count.
    """
    wanted = world.spec.service_config(service).max_instances
    try:
        limit = _binding(world, service)
    except GpupipeError as error:
        # What the user set is tried as it is; a default could only be a guess.
        if wanted is None or not is_code(error, "PERMISSION_DENIED"):
            raise
        limit = None
    if limit is None or limit.fits >= (wanted or DEFAULT_MAX):
        return wanted or DEFAULT_MAX, None
    if wanted is not None or limit.fits < 1:
        raise _does_not_fit(world, service, wanted, limit)
    return limit.fits, (
        f"{service}: max_instances {DEFAULT_MAX} -> {limit.fits}, which is what the quota "
        f"{limit.quota} allows; more: {limit.link(world.spec.names.project)}"
    )


def _does_not_fit(world: World, service: str, wanted: int | None, limit: Limit) -> GpupipeError:
    size, names = world.spec.service_config(service), world.spec.names
    request = f"request quota: {limit.link(names.project)}"
    if limit.fits < 1:
        brief = (
            f"Not one instance of {size.cpu} CPU and {size.memory} fits the quota {limit.quota}."
        )
        resolution = f"Use a smaller size, or {request}"
    else:
        brief = f"max_instances = {wanted} does not fit the quota {limit.quota}."
        resolution = f"Set max_instances to {limit.fits} or less, use a smaller size, or {request}"
    return GpupipeError(
        brief,
        resource=world.spec.service_name(service),
        details=f"The quota allows {limit.amount} in {names.region}"
        + (f": at most {limit.fits} instances of this size." if limit.fits else "."),
        resolution=resolution,
        doc="reference/errors.md#quota",
        exit=Exit.FAILED,
    )


def _binding(world: World, service: str) -> Limit | None:
    """The quota that allows the fewest instances, or None where none is known."""
    size = world.spec.service_config(service)
    needs = {CPU: milli_cpu(size.cpu), MEMORY: memory_bytes(size.memory)}
    if isinstance(size, GpuServiceConfig):
        needs[L4_ZONAL if size.zonal_redundancy else L4] = 1
    names = world.spec.names
    found = []
    for quota, each in needs.items():
        allowed = world.cloud.quotas.limit(names.project, names.region, quota)
        if allowed is not None:
            found.append(Limit(quota, allowed, allowed // each))
    return min(found, key=lambda limit: limit.fits, default=None)
