"""Changes of a good service, for the examples of the rules."""

from collections.abc import Callable
from typing import Any

Change = Callable[[Any], object]


def attribute(path: str, value: object) -> Change:
    """Set the field at a dotted path."""

    def change(service: Any) -> None:
        *parents, last = path.split(".")
        target = service
        for name in parents:
            target = getattr(target, name)
        setattr(target, last, value)

    return change


def container(change: Change) -> Change:
    """Change the first container."""
    return lambda service: change(service.template.containers[0])


def label(key: str, value: str) -> Change:
    """Add a label."""
    return lambda service: service.labels.update({key: value})


def variable(name: str) -> Change:
    """Add a variable."""
    return container(lambda c: c.env.add(name=name, value="1"))


def limits(**values: str) -> Change:
    """Set limits; `gpu` stands for nvidia.com/gpu and brings an L4."""

    def change(service: Any) -> None:
        target = service.template.containers[0].resources.limits
        for name, value in values.items():
            target["nvidia.com/gpu" if name == "gpu" else name] = value
        if "gpu" in values:
            service.template.node_selector.accelerator = "nvidia-l4"
            service.template.gpu_zonal_redundancy_disabled = True
            service.template.containers[0].resources.cpu_idle = False

    return change
