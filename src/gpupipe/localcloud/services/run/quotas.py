"""The regional quotas that a deployment must fit: instances times size.

A request is checked for its service alone, as the recorded refusals name one service's numbers.
Recorded too: an update that gives a service its first GPU counts the largest maximum of the
service's revisions that still exist, however small its own is. What other services hold is counted
later, when the revision starts (`deployment`).
"""

from typing import Any, Protocol

from gpupipe.localcloud.errors import Code, Details, FieldViolation, ServiceError, Violation
from gpupipe.localcloud.services.run.names import API, ServiceName
from gpupipe.localcloud.services.run.rule import Shape

CPU = "CpuAllocPerProjectRegion"
MEMORY = "MemAllocPerProjectRegion"
_GPU_METRIC = {"nvidia-l4": "NvidiaL4GpuAlloc", "nvidia-rtx-pro-6000": "NvidiaRtxPro6000GpuAlloc"}
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


def _sizes(shape: Shape) -> dict[str, int]:
    return {CPU: shape.cpu, MEMORY: shape.memory}


def gpu_quota(template: Any) -> str:
    """The quota that the GPUs of a template or revision count against."""
    metric = _GPU_METRIC[template.node_selector.accelerator]
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
