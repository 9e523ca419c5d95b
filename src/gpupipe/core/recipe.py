"""What the replaced recipe's Terraform variables are called here, and which mean nothing any more.

Both the flat variables of its README and the nested objects of its sources are read; an object's
attributes are told apart by their last word, with or without a unit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_SERVICES = ("preprocess", "gpu_inference", "postprocess")
_BUCKETS = ("input", "models", "output")
_SIZES = {
    "cpu": "cpu",
    "cpu_limit": "cpu",
    "memory": "memory",
    "memory_limit": "memory",
    "max_instances": "max_instances",
    "max_instance_count": "max_instances",
    "min_instances": "min_instances",
    "min_instance_count": "min_instances",
    "timeout": "timeout",
    "timeout_seconds": "timeout",
    "concurrency": "concurrency",
    "startup_cpu_boost": "startup_boost",
    "gpu_type": "gpu",
}
_GPU_ONLY = frozenset({"gpu"})
# Flat variable -> options.
_FLAT: Mapping[str, tuple[str, ...]] = {
    "project_id": ("project",),
    "region": ("region",),
    "service_prefix": ("prefix",),
    "environment": ("environment",),
    "labels": ("labels",),
    "gpu_type": ("gpu_inference.gpu",),
    "gpu_memory": ("gpu_inference.memory",),
    "gpu_cpu": ("gpu_inference.cpu",),
    "preprocess_memory": ("preprocess.memory",),
    "preprocess_cpu": ("preprocess.cpu",),
    "postprocess_memory": ("postprocess.memory",),
    "postprocess_cpu": ("postprocess.cpu",),
    "max_instances": tuple(f"{name}.max_instances" for name in _SERVICES),
    "min_instances": tuple(f"{name}.min_instances" for name in _SERVICES),
    "timeout_seconds": tuple(f"{name}.timeout" for name in _SERVICES),
    "storage_class": tuple(f"buckets.{name}.storage_class" for name in _BUCKETS),
    "deletion_protection": ("deletion_protection",),
    "call_log_level": ("workflow.call_log_level",),
    "enable_monitoring": ("monitoring",),
    "notification_channels": ("notification_channels",),
    "ingress": ("ingress",),
    "allowed_ingress": ("ingress",),
}
# Of these, which stand in objects of any name.
_ANYWHERE = frozenset(
    {"storage_class", "call_log_level", "deletion_protection", "enable_monitoring",
     "notification_channels", "ingress", "allowed_ingress"}
)  # fmt: skip
_INGRESS = {
    "INGRESS_TRAFFIC_ALL": "all",
    "INGRESS_TRAFFIC_INTERNAL_ONLY": "internal",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER": "internal-and-cloud-load-balancing",
}
_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "gpu_service_config": ("gpu_inference",),
    "cpu_service_config": ("preprocess", "postprocess"),
    "preprocess_config": ("preprocess",),
    "postprocess_config": ("postprocess",),
}
# First that the variable's name contains -> why it means nothing any more.
_IDLE: Mapping[str, str] = {
    "gpu_count": "an instance of Cloud Run has exactly one GPU",
    "zone": "every service that is used is regional",
    "require_authentication": "the services always ask for an identity token",
    "allow_unauthenticated": "the services always ask for an identity token",
    "cors": "the recipe declared it and never used it",
    "vpc_connector": "the recipe declared it and never used it; set vpc.connector to its full name",
    "log_retention": "the recipe declared it and never used it; logs live as long as their log bucket says",
    "alert_threshold_memory": "the recipe declared it and never used it",
    "alert_threshold_cpu": "the recipe compared it with a share from 0 to 1, so that it never fired; "
    "alerts.gpu_percent watches the GPU",
    "retry": "Eventarc takes no retry policy for a workflow; the workflow itself retries",
    "location": "buckets lie in the pipeline's region, where the trigger must be too",
    "versioning": "the input bucket is versioned, and the others have buckets.NAME.versioning",
    "lifecycle": "inputs and results are deleted after retention_days, models never",
    "force_destroy": "a destroy always empties the buckets that gpupipe made",
    "apis": "a deploy enables exactly the APIs that it needs",
    "image": "a deploy builds the images itself; set image of a service for one of your own",
}
_RESERVED = ("gpupipe", "managed-by")


@dataclass(slots=True)
class Taken:
    """What was understood: path of an option -> value; and what was not, with the reason."""

    values: dict[str, object] = field(default_factory=dict)
    idle: dict[str, str] = field(default_factory=dict)


def taken_over(variables: Mapping[str, Any]) -> Taken:
    """The options that say what these variables said."""
    taken = Taken()
    for name, value in variables.items():
        if value is None:
            continue
        if name in _FLAT:
            for path in _FLAT[name]:
                taken.values[path] = _value(path, value)
        elif name in _OBJECTS and isinstance(value, Mapping):
            _take_object(taken, name, _OBJECTS[name], value)
        elif isinstance(value, Mapping):
            _take_others(taken, name, value)
        else:
            taken.idle[name] = _why_not(name)
    return taken


def _take_object(
    taken: Taken, name: str, services: tuple[str, ...], value: Mapping[str, Any]
) -> None:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            _take_object(taken, f"{name}.{key}", _of(key, services), inner)
            continue
        option = _SIZES.get(key)
        if option is None or (option in _GPU_ONLY and services != ("gpu_inference",)):
            taken.idle[f"{name}.{key}"] = _why_not(key)
            continue
        for service in services:
            path = f"{service}.{option}"
            taken.values[path] = _value(path, inner)


def _of(key: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """The services that an inner object is about: those whose name its own begins with."""
    return tuple(one for one in services if key.startswith(one)) or services


def _take_others(taken: Taken, name: str, value: Mapping[str, Any]) -> None:
    """Settings of storage, workflow and the like, one by one by their own names."""
    for key, inner in _leaves(value):
        last = key.rpartition(".")[2]
        if last in _ANYWHERE:
            for path in _FLAT[last]:
                taken.values[path] = _value(path, inner)
        elif last in {"age", "lifecycle_age", "lifecycle_age_days", "retention_days"}:
            taken.values["retention_days"] = inner
        else:
            taken.idle[f"{name}.{key}"] = _why_not(last, name)


def _leaves(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{before}{key}.")
        else:
            yield f"{before}{key}", inner


def _why_not(name: str, table: str = "") -> str:
    full = f"{table}.{name}"
    why = next((why for part, why in _IDLE.items() if part in full), "")
    return why or "gpupipe has no option for it"


def _value(path: str, value: Any) -> object:
    """In this file's spelling: Terraform writes times as 300 or "300s", and CPUs as 4 or "4000m"."""
    if path.endswith(".timeout") and isinstance(value, str):
        digits = value.removesuffix("s")
        return int(digits) if digits.isdecimal() else value
    if path.endswith((".max_instances", ".min_instances", ".concurrency")) and isinstance(
        value, str
    ):
        return int(value) if value.isdecimal() else value
    if path == "ingress" and isinstance(value, str):
        return _INGRESS.get(value, value)
    if path.endswith(".cpu"):
        text = str(value)
        thousands = text.removesuffix("000m")
        return thousands if thousands != text else text
    if path == "labels" and isinstance(value, Mapping):
        return {key: text for key, text in value.items() if not key.startswith(_RESERVED)}
    return value
