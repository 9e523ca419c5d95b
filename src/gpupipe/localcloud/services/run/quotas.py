"""The regional quotas that a deployment must fit: instances times size (gcp-facts §1).

Checked for each service alone: the recorded refusals name one service's request. Which code they
came with is not recorded; INVALID_ARGUMENT is UNSURE.
"""

from typing import Protocol

from gpupipe.localcloud.errors import Code, Details, ServiceError, Violation
from gpupipe.localcloud.services.run.names import API
from gpupipe.localcloud.services.run.rule import Shape

CPU = "CpuAllocPerProjectRegion"
MEMORY = "MemAllocPerProjectRegion"
_GPU_METRIC = {"nvidia-l4": "NvidiaL4GpuAlloc", "nvidia-rtx-pro-6000": "NvidiaRtxPro6000GpuAlloc"}
_NO_MAXIMUM = 100


class Quotas(Protocol):
    """Where the limits come from."""

    def limit(self, project: str, service: str, quota_id: str, region: str) -> int:
        """The limit in force of one quota of a service, for a project in a region."""


def check(quotas: Quotas, project: str, region: str, shape: Shape) -> None:
    """Raise Google's refusal when the maximum of instances does not fit a quota."""
    most = shape.template.scaling.max_instance_count
    if shape.has_gpu:
        _check_gpu(quotas, project, region, shape, most)
    sizes = _sizes(shape)
    limits = {quota: quotas.limit(project, API, quota, region) for quota in sizes}
    violated = [
        f"{quota} requested: {most * size} allowed: {limits[quota]}"
        for quota, size in sizes.items()
        if most * size > limits[quota]
    ]
    if violated:
        fits = min(limits[quota] // size for quota, size in sizes.items())
        raise _refusal(
            f"Max instances must be set to {fits} or fewer to set the requested total memory/CPU. "
            "Quota violated:\n" + "\n".join(violated),
            project,
        )


def default_maximum(quotas: Quotas, project: str, region: str, shape: Shape) -> int:
    """The maximum of a service that names none: 100, or what the quotas allow (but at least 1)."""
    sizes = _sizes(shape)
    if shape.has_gpu:
        sizes[gpu_quota(shape)] = 1
    fits = [quotas.limit(project, API, quota, region) // size for quota, size in sizes.items()]
    return max(1, min(_NO_MAXIMUM, *fits))


def _sizes(shape: Shape) -> dict[str, int]:
    return {CPU: shape.cpu, MEMORY: shape.memory}


def gpu_quota(shape: Shape) -> str:
    """The quota that a service's GPUs count against."""
    metric = _GPU_METRIC[shape.template.node_selector.accelerator]
    zonal = "NoZonalRedundancy" if shape.template.gpu_zonal_redundancy_disabled else ""
    return f"{metric}{zonal}PerProjectRegion"


def _check_gpu(quotas: Quotas, project: str, region: str, shape: Shape, most: int) -> None:
    quota = gpu_quota(shape)
    allowed = quotas.limit(project, API, quota, region)
    if most <= allowed:
        return
    if allowed > 0:
        text = f"Quota violated: {quota} requested: {most} allowed: {allowed}"
    elif shape.template.gpu_zonal_redundancy_disabled:
        text = (
            "You do not have quota for using GPUs without zonal redundancy. "
            "To request quota: g.co/cloudrun/gpu-quota"
        )
    else:
        text = (
            "You do not have quota for using GPUs with zonal redundancy. "
            "To request quota: g.co/cloudrun/gpu-quota "
            "You could deploy using GPUs without zonal redundancy instead."
        )
    raise _refusal(text, project)


def _refusal(text: str, project: str) -> ServiceError:
    violation = Violation("QUOTA", f"projects/{project}", text)
    return ServiceError(
        Code.INVALID_ARGUMENT,
        text,
        Details(reason="QUOTA_VIOLATED", domain=API, quotas=(violation,)),
    )
