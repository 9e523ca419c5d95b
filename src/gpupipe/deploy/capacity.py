"""What a region can give a service: GPUs at all, and how many instances the quotas allow.

Quotas count GPU, CPU and memory, each for instances x size of one service.
"""

from dataclasses import dataclass
from functools import partial

from gpupipe.cloud.errors import is_code
from gpupipe.cloud.quotas import CPU, MEMORY
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.gpus import table
from gpupipe.core.options import key_of
from gpupipe.core.quantities import memory_bytes, memory_text, milli_cpu
from gpupipe.deploy.step import World

DEFAULT_MAX = 10
_GPU_LINK = "https://g.co/cloudrun/gpu-quota"
_LINK = "https://console.cloud.google.com/iam-admin/quotas?project={project}"


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


def region_note(gpu: str, region: str) -> str | None:
    """What to tell about a GPU type in a region, or None where the documentation lists it."""
    kind = table()[gpu]
    if region in kind.invitation:
        return f"gpu-inference: Google gives {gpu} in {region} by invitation (as of {kind.as_of})."
    if region in kind.regions:
        return None
    return (
        f"gpu-inference: {region} is not among the regions where Google documented {gpu} on "
        f"{kind.as_of}: {', '.join(kind.regions)}. The deploy tries it all the same."
    )


def max_instances(world: World, service: str) -> tuple[int, str | None]:
    """The maximum to deploy, and a note where the default was lowered.

    A maximum that the user set and that does not fit is a blocker (GpupipeError); so are quotas
    that may not be read where the user set none. Quotas that are not known do not count.
    """
    wanted = world.spec.service_config(service).max_instances or DEFAULT_MAX
    is_set = world.spec.config.is_set(f"{key_of(service)}.max_instances")
    try:
        limit = _binding(world, service)
    except GpupipeError as error:
        # What the user set is tried as it is; a default could only be a guess.
        if not is_set or not is_code(error, "PERMISSION_DENIED"):
            raise
        limit = None
    if limit is None or limit.fits >= wanted:
        return wanted, None
    if is_set or limit.fits < 1:
        raise _does_not_fit(world, service, wanted, limit)
    return limit.fits, (
        f"{service}: max_instances {wanted} -> {limit.fits}, which is what the quota "
        f"{limit.quota} allows; more: {limit.link(world.spec.names.project)}"
    )


def needs_of(world: World, service: str) -> dict[str, int]:
    """What one instance of a service takes of each quota, in the quota's own unit."""
    size = world.spec.service_config(service)
    needs = {CPU: milli_cpu(size.cpu), MEMORY: memory_bytes(size.memory)}
    if gpu := world.spec.gpu(service):
        needs[table()[gpu.gpu].quota_id(zonal=gpu.zonal_redundancy)] = 1
    return needs


def _does_not_fit(world: World, service: str, wanted: int, limit: Limit) -> GpupipeError:
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
    needs, names = needs_of(world, service), world.spec.names
    reads = {
        quota: world.meanwhile(
            partial(world.cloud.quotas.limit, names.project, names.region, quota)
        )
        for quota in needs
    }
    found = []
    for quota, read in reads.items():
        allowed = read()
        if allowed is not None:
            found.append(Limit(quota, allowed, allowed // needs[quota]))
    return min(found, key=lambda limit: limit.fits, default=None)
