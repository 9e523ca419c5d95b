"""Refusals of CPU, memory and GPU."""

from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.rule import GPU, Rule, Shape

_GI = 2**30
_MI = 2**20
_CPUS = {1000, 2000, 4000, 6000, 8000}
_SMALLEST_CPU = 80
# Milli-CPU -> (least, most) memory. The floors of 4 and more CPUs are documented; the ceilings of
# 2 and more are own knowledge. 20 CPUs go with an RTX PRO 6000 only.
_MEMORY = {
    1000: (128 * _MI, 4 * _GI),
    2000: (128 * _MI, 8 * _GI),
    4000: (2 * _GI, 16 * _GI),
    6000: (4 * _GI, 24 * _GI),
    8000: (4 * _GI, 32 * _GI),
}
_GEN2_FLOOR = 512 * _MI
# Accelerator -> (least milli-CPU, least memory).
_ACCELERATORS = {"nvidia-l4": (4000, 16 * _GI), "nvidia-rtx-pro-6000": (20000, 80 * _GI)}
_RTX = "nvidia-rtx-pro-6000"


def _keys(shape: Shape) -> str | None:
    unknown = sorted(set(shape.limits) - {"cpu", "memory", GPU})
    if unknown:
        return f"Unsupported resource limit {unknown[0]!r}: only cpu, memory and {GPU} are."
    return None


def _cpu(shape: Shape) -> str | None:
    if _SMALLEST_CPU <= shape.cpu < min(_CPUS):
        if shape.container.resources.cpu_idle:
            return None
        return (
            "Invalid value specified for cpu. Total cpu < 1 is not supported with cpu always "
            "allocated (unthrottled)."
        )
    if shape.cpu in _CPUS:
        return None
    if shape.has_gpu and shape.template.node_selector.accelerator == _RTX:
        return None
    return (
        f"Invalid value specified for cpu: {shape.limits['cpu']!r}. "
        "It must be 1, 2, 4, 6 or 8, or below 1."
    )


def _memory(shape: Shape) -> str | None:
    if not shape.memory:
        return f"Invalid value specified for memory: {shape.limits['memory']!r}."
    gen2 = shape.template.execution_environment == messages.GEN2
    if not shape.container.resources.cpu_idle and shape.memory < _GEN2_FLOOR:
        # The words without a generation are ours.
        first = shape.template.execution_environment == messages.GEN1
        where = "" if first else "gen2 execution environment with "
        return (
            "Invalid value specified for memory. Total memory < 512 Mi is not supported with "
            f"{where}cpu always allocated (unthrottled)."
        )
    least, most = _MEMORY.get(shape.cpu, (128 * _MI, 4 * _GI))
    least = max(least, _GEN2_FLOOR) if gen2 else least
    if least <= shape.memory <= most or shape.template.node_selector.accelerator == _RTX:
        return None
    words = " with gen2 execution environment" if gen2 else ""
    return (
        f"Invalid value specified for memory{words}. For {shape.cpu / 1000} CPU, memory must be "
        f"between {_text(least)} and {_text(most)} inclusive."
    )


def _text(memory: int) -> str:
    return f"{memory // _GI}Gi" if memory % _GI == 0 else f"{memory // _MI}Mi"


def _small_cpu_concurrency(shape: Shape) -> str | None:
    if shape.cpu < 1000 and shape.template.max_instance_request_concurrency > 1:  # noqa: PLR2004
        return "Total cpu < 1 is not supported with concurrency > 1."
    return None


def _both_gpu_fields(shape: Shape) -> str | None:
    if shape.has_gpu and not (GPU in shape.limits and shape.template.node_selector.accelerator):
        return f"A GPU needs both the limit {GPU} and node_selector.accelerator."
    return None


def _accelerator(shape: Shape) -> str | None:
    name = shape.template.node_selector.accelerator
    if not name or name in _ACCELERATORS:
        return None
    return f"Unsupported accelerator {name!r}: the known ones are {', '.join(_ACCELERATORS)}."


def _one_gpu(shape: Shape) -> str | None:
    if shape.limits.get(GPU, "1") != "1":
        return f"The limit {GPU} must be 1: an instance has one GPU."
    return None


def _gpu_size(shape: Shape) -> str | None:
    if not shape.has_gpu:
        return None
    name = shape.template.node_selector.accelerator
    cpu, memory = _ACCELERATORS[name]
    if shape.cpu >= cpu and shape.memory >= memory:
        return None
    return (
        f"{name} needs at least {cpu // 1000} CPU and {_text(memory)} of memory; "
        f"the container has {shape.limits['cpu']} and {shape.limits['memory']}."
    )


def _gpu_billing(shape: Shape) -> str | None:
    if shape.has_gpu and shape.container.resources.cpu_idle:
        return "A GPU needs CPU that is always allocated: set cpu_idle to false."
    return None


def _gpu_environment(shape: Shape) -> str | None:
    if shape.has_gpu and shape.template.execution_environment == messages.GEN1:
        return "A GPU needs the second generation execution environment."
    return None


_LIMITS = "service.template.containers.resources.limits"
_ACCELERATOR = "service.template.node_selector.accelerator"

RULES = (
    Rule("limits", _LIMITS, _keys),
    Rule("accelerator", _ACCELERATOR, _accelerator),
    Rule("gpu-fields", _ACCELERATOR, _both_gpu_fields),
    Rule("one-gpu", _LIMITS, _one_gpu),
    # 16 GiB by the documentation, 8 by gcloud's help: the stricter one, which is UNSURE.
    Rule("gpu-size", _LIMITS, _gpu_size),
    Rule("gpu-billing", "service.template.containers.resources.cpu_idle", _gpu_billing),
    Rule("gpu-generation", "service.template.execution_environment", _gpu_environment),
    Rule("cpu", _LIMITS, _cpu),
    Rule("memory", _LIMITS, _memory),
    Rule(
        "small-cpu-concurrency",
        "service.template.max_instance_request_concurrency",
        _small_cpu_concurrency,
    ),
)
