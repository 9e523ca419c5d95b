"""The recipe's three presets, and one without a GPU: named sets of other defaults.

Values are the recipe README's, except where these cannot be deployed; what was lifted is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_SERVICES = ("preprocess", "gpu_inference", "postprocess")


@dataclass(frozen=True, slots=True)
class Preset:
    """values: path of an option -> value. note: what differs from the recipe's, and why."""

    description: str
    values: Mapping[str, object]
    note: str = ""


def _each(max_instances: int, timeout: int) -> dict[str, object]:
    """The recipe's max_instances and timeout_seconds are one value for every service."""
    return {
        f"{service}.{name}": value
        for service in _SERVICES
        for name, value in (("max_instances", max_instances), ("timeout", timeout))
    }


PRESETS: Mapping[str, Preset] = {
    "high-performance": Preset(
        "L4 with 8 CPU and 32Gi, up to 50 instances, 600 s",
        {
            "gpu_inference.gpu": "nvidia-l4",
            "gpu_inference.cpu": "8",
            "gpu_inference.memory": "32Gi",
            **_each(50, 600),
        },
    ),
    "cost-optimized": Preset(
        "L4 with 4 CPU and 16Gi, up to 5 instances, 120 s",
        {
            "gpu_inference.gpu": "nvidia-l4",
            "gpu_inference.cpu": "4",
            "gpu_inference.memory": "16Gi",
            **_each(5, 120),
        },
        "The recipe's 2 CPU and 8Gi are less than an L4 needs, so this preset has 4 CPU and 16Gi; "
        "the preset cpu-only has no GPU at all.",
    ),
    "development": Preset(
        "prefix dev-ml-pipeline, up to 2 instances, 60 s",
        {"prefix": "dev-ml-pipeline", **_each(2, 60)},
    ),
    "cpu-only": Preset(
        "no GPU: inference on 4 CPU and 4Gi, up to 5 instances",
        {
            "gpu_inference.gpu": "none",
            "gpu_inference.cpu": "4",
            "gpu_inference.memory": "4Gi",
            "gpu_inference.max_instances": 5,
        },
    ),
}
