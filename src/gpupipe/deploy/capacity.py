"""How many instances the quotas allow: GPU, CPU and memory, each for instances x size of one service."""

from dataclasses import dataclass

from gpupipe.cloud.quotas import CPU, L4, L4_ZONAL, MEMORY
from gpupipe.cloud.run import memory_bytes, milli_cpu
from gpupipe.core.config import GpuServiceConfig
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy.step import World

DEFAULT_MAX = 10
REQUEST_LINK = "https://g.co/cloudrun/gpu-quota"


@dataclass(frozen=True, slots=True)
class Limit:
    """The quota that binds: its id, how much it allows, and how many instances fit."""

    quota: str
    allowed: int
    fits: int


def max_instances(world: World, service: str) -> tuple[int, str | None]:
    """The maximum to deploy, and a note where the default was lowered.

    A maximum that the user set and that does not fit is a blocker (GpupipeError); quotas that
    cannot be read do not count.
    """
    wanted = world.spec.service_config(service).max_instances
    limit = _binding(world, service)
    if limit is None or limit.fits >= (wanted or DEFAULT_MAX):
        return wanted or DEFAULT_MAX, None
    if wanted is not None or limit.fits < 1:
        raise GpupipeError(
            f"max_instances = {wanted or DEFAULT_MAX} does not fit the quota {limit.quota}.",
            resource=world.spec.service_name(service),
            details=f"The quota allows {limit.allowed} in {world.spec.names.region}: "
            f"at most {limit.fits} instances of this size.",
            resolution=f"Set max_instances to {max(limit.fits, 1)} or less, use a smaller size, or "
            f"request quota: {REQUEST_LINK}",
            doc="reference/errors.md#quota",
            exit=Exit.FAILED,
        )
    return limit.fits, (
        f"{service}: max_instances {DEFAULT_MAX} -> {limit.fits}, which is what the quota "
        f"{limit.quota} allows; more: {REQUEST_LINK}"
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
