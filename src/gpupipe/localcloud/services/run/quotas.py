"""The regional quotas of instances: what a request may ask for, and what an instance takes.

A request is checked for its service alone, maximum times size: so the documentation of the maximum
has it (run/docs/configuring/max-instances-limits), and so do the recorded refusals. Recorded too: an
update that gives a service its first GPU counts the largest maximum of the service's revisions that
still exist, however small its own is. By the same page the quotas hold for the sum of what runs in
the region, whichever service it is of: that is counted when an instance starts (`runner.room`).
"""

from typing import Any, Protocol

from gpupipe.localcloud.errors import Code, Details, FieldViolation, ServiceError, Violation
from gpupipe.localcloud.services.run.names import API, ServiceName
from gpupipe.localcloud.services.run.quantities import memory_bytes, milli_cpu
from gpupipe.localcloud.services.run.rule import Shape

CPU = "CpuAllocPerProjectRegion"
MEMORY = "MemAllocPerProjectRegion"
_GPU = {"nvidia-l4": "NvidiaL4GpuAlloc", "nvidia-rtx-pro-6000": "NvidiaRtxPro6000GpuAlloc"}
# Recorded but for the RTX PRO 6000's, which is formed like the L4's.
_METRICS = {
    CPU: "cpu_allocation",
    MEMORY: "mem_allocation",
    "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion": (
        "nvidia_l4_gpu_allocation_no_zonal_redundancy"
    ),
    "NvidiaL4GpuAllocPerProjectRegion": "nvidia_l4_gpu_allocation",
    "NvidiaRtxPro6000GpuAllocNoZonalRedundancyPerProjectRegion": (
        "nvidia_rtx_pro_6000_gpu_allocation_no_zonal_redundancy"
    ),
    "NvidiaRtxPro6000GpuAllocPerProjectRegion": "nvidia_rtx_pro_6000_gpu_allocation",
}
_WORDS = {CPU: "CPU", MEMORY: "memory"}
_NO_MAXIMUM = 100
_REQUEST = "To request quota: g.co/cloudrun/gpu-quota"
_PATH = "scaling.max_instance_count"


class Quotas(Protocol):
    """Where the limits come from."""

    def limit(self, project: str, service: str, quota_id: str, region: str) -> int:
        """The limit in force of one quota of a service, for a project in a region."""


def check(quotas: Quotas, name: ServiceName, shape: Shape, earlier_maximum: int) -> None:
    """Raise Google's refusal when the maximum of instances does not fit a quota.

    earlier_maximum: the largest of the revisions that a first GPU is counted with; 0: none.
    """
    most = shape.most
    if shape.has_gpu:
        _check_gpu(quotas, name, shape, max(most, earlier_maximum))
    sizes = _sizes(shape)
    limits = {quota: quotas.limit(name.project, API, quota, name.region) for quota in sizes}
    violated = {quota: size for quota, size in sizes.items() if most * size > limits[quota]}
    if violated:
        fits = min(limits[quota] // size for quota, size in sizes.items())
        what = "/".join(_WORDS[quota] for quota in violated)
        lines = [
            f"{quota} requested: {most * size} allowed: {limits[quota]}"
            for quota, size in violated.items()
        ]
        raise _refusal(
            f"{_PATH}: Max instances must be set to {fits} or fewer to set the requested total "
            f"{what}.\nQuota violated:\n" + "\n".join(lines),
            name.project,
        )


def default_maximum(quotas: Quotas, name: ServiceName, shape: Shape) -> int:
    """The maximum of a service that names none: 100, or what the quotas allow (but at least 1)."""
    sizes = _sizes(shape)
    if shape.has_gpu:
        sizes[gpu_quota(shape.template)] = 1
    fits = [
        quotas.limit(name.project, API, quota, name.region) // size for quota, size in sizes.items()
    ]
    return max(1, min(_NO_MAXIMUM, *fits))


def allocation(revision: Any) -> dict[str, int]:
    """What one instance of a revision takes, by quota id."""
    limits = revision.containers[0].resources.limits
    taken = {
        CPU: milli_cpu(limits.get("cpu", "")) or 0,
        MEMORY: memory_bytes(limits.get("memory", "")) or 0,
    }
    if revision.node_selector.accelerator:
        taken[gpu_quota(revision)] = 1
    return taken


def no_room_to_serve(quota: str) -> str:
    """What a request is told when an instance for it does not fit what the region may run."""
    return (
        "The request failed because the project exceeded its quota limit for "
        f"{API}/{_METRICS[quota]}."
    )


def no_room_to_deploy(quota: str) -> str:
    """What a new revision is told whose instances do not fit what the region may run."""
    what = {CPU: "CPU", MEMORY: "memory"}.get(quota, "count of GPUs")
    return f"Quota exceeded for total allowable {what} per project per region."


def _sizes(shape: Shape) -> dict[str, int]:
    return {CPU: shape.cpu, MEMORY: shape.memory}


def gpu_quota(template: Any) -> str:
    """The quota that the GPUs of a template or revision count against."""
    metric = _GPU[template.node_selector.accelerator]
    zonal = "NoZonalRedundancy" if template.gpu_zonal_redundancy_disabled else ""
    return f"{metric}{zonal}PerProjectRegion"


def _check_gpu(quotas: Quotas, name: ServiceName, shape: Shape, most: int) -> None:
    quota = gpu_quota(shape.template)
    allowed = quotas.limit(name.project, API, quota, name.region)
    if most <= allowed:
        return
    if allowed > 0:
        text = (
            f"{_PATH}: Max instances must be set to {allowed} or fewer in order to set GPU "
            f"requirements.\n{_REQUEST}\n\nQuota violated:\n"
            f"{quota} requested: {most} allowed: {allowed}"
        )
    elif shape.template.gpu_zonal_redundancy_disabled:
        text = f"You do not have quota for using GPUs without zonal redundancy. {_REQUEST}"
    else:
        text = (
            f"You do not have quota for using GPUs with zonal redundancy. {_REQUEST} "
            "You could deploy using GPUs without zonal redundancy instead."
        )
    raise _refusal(text, name.project)


def _refusal(text: str, project: str) -> ServiceError:
    """HTTP status 400 is recorded; that the canonical code is INVALID_ARGUMENT is UNSURE."""
    details = Details(
        fields=(FieldViolation(_PATH, text),),
        quotas=(Violation("QUOTA", f"projects/{project}", text),),
    )
    return ServiceError(Code.INVALID_ARGUMENT, text, details)
