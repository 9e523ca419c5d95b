"""The configuration: flag over environment over gpupipe.toml over default, each value with its source.

Unknown keys of the file are refused by name. The defaults are the replaced recipe's, where these can
be deployed at all (DESIGN 4).
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpupipe.core.errors import UsageError
from gpupipe.core.quantities import memory_bytes

FILE = "gpupipe.toml"
DEFAULT = "default"
"""The source of a value that nobody set."""
Memory = Annotated[str, Field(pattern=r"^[0-9]+(Mi|Gi)$")]
Cpu = Literal["1", "2", "4", "6", "8"]


# CPU -> the least memory; gcp-facts 1 (run_v2's ResourceRequirements, and the page on GPUs).
_LEAST_MEMORY = {"4": "2Gi", "6": "4Gi", "8": "4Gi"}
_L4_CPU, _L4_MEMORY = 4, "16Gi"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceConfig(_Strict):
    """Size and scaling of one Cloud Run service.

    cpu in vCPUs, memory with its unit, timeout in seconds; max_instances None = gpupipe's default,
    lowered to what the quotas allow.
    """

    cpu: Cpu = "1"
    memory: Memory = "1Gi"
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    timeout: Annotated[int, Field(ge=1, le=3600)] = 300
    min_instances: Annotated[int, Field(ge=0, le=100)] = 0
    max_instances: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        least = self._least_memory()
        if memory_bytes(self.memory) < memory_bytes(least):
            raise ValueError(f"{self.cpu} CPU need at least {least} of memory, not {self.memory}")
        if self.max_instances is not None and self.min_instances > self.max_instances:
            raise ValueError("min_instances is larger than max_instances")
        return self

    def _least_memory(self) -> str:
        return _LEAST_MEMORY.get(self.cpu, "128Mi")


class PreprocessConfig(ServiceConfig):
    """The first service: images take memory."""

    memory: Memory = "2Gi"


class GpuServiceConfig(ServiceConfig):
    """The inference service: a GPU, instance-based billing."""

    cpu: Cpu = "4"
    memory: Memory = "16Gi"
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 64
    gpu: Literal["nvidia-l4"] = "nvidia-l4"
    zonal_redundancy: bool = False

    @model_validator(mode="after")
    def _check_cpu(self) -> Self:
        if int(self.cpu) < _L4_CPU:
            raise ValueError(f"an {self.gpu} needs at least {_L4_CPU} CPU, not {self.cpu}")
        return self

    def _least_memory(self) -> str:
        return _L4_MEMORY


class LimitsConfig(_Strict):
    """What one object may be: bytes by its kind, items, pixels; None = the service's default."""

    text_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    table_bytes: Annotated[int, Field(ge=1, le=200_000_000)] | None = None
    image_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    image_pixels: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    rows: Annotated[int, Field(ge=1, le=250_000)] | None = None
    text_column: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class FileConfig(_Strict):
    """What gpupipe.toml may say."""

    target: Literal["local", "google"] | None = None
    project: str | None = None
    region: str = "us-central1"
    prefix: str = "ml-pipeline"
    queue_wait: Annotated[int, Field(ge=60, le=86400)] = 21600
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    parallel_chunks: Annotated[int, Field(ge=1, le=20)] = 8
    limits: LimitsConfig = LimitsConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    gpu_inference: GpuServiceConfig = GpuServiceConfig()
    postprocess: ServiceConfig = ServiceConfig()


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about target, place and name; None = not given."""

    local: bool = False
    project: str | None = None
    region: str | None = None
    prefix: str | None = None
    config: Path | None = None
    impersonate_service_account: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The merged configuration. `sources` tells where a value came from ("flag", "PROJECT_ID", …)."""

    target: str | None
    project: str | None
    region: str
    prefix: str
    queue_wait: int
    retention_days: int
    parallel_chunks: int
    limits: LimitsConfig
    preprocess: ServiceConfig
    gpu_inference: GpuServiceConfig
    postprocess: ServiceConfig
    sources: Mapping[str, str] = field(default_factory=dict)


# The recipe's names are accepted beside Google's and our own; the first one that is set wins.
_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "target": ("GPUPIPE_TARGET",),
    "project": ("GOOGLE_CLOUD_PROJECT", "PROJECT_ID"),
    "region": ("GPUPIPE_REGION", "GOOGLE_CLOUD_REGION", "REGION"),
    "prefix": ("GPUPIPE_PREFIX", "SERVICE_PREFIX"),
}


def load(flags: Flags, environment: Mapping[str, str], folder: Path) -> Config:
    """The configuration of a command that runs in `folder`. UsageError where it is wrong."""
    path = flags.config or folder / FILE
    if flags.config is not None and not path.is_file():
        raise UsageError(
            f"There is no configuration file {path}.",
            resolution="Give an existing file with --config.",
        )
    content = _read(path) if path.is_file() else {}
    model = _validated(content, path)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in ("target", "project", "region", "prefix"):
        values[name], sources[name] = _choose(name, flags, environment, model, content, path)
    for name in ("queue_wait", "retention_days", "parallel_chunks"):
        values[name], sources[name] = getattr(model, name), _source(name, content, path)
    if values["target"] not in {None, "local", "google"}:
        raise UsageError(
            f"GPUPIPE_TARGET is {values['target']!r}.", resolution="Set it to local or google."
        )
    return Config(
        **values,
        limits=model.limits,
        preprocess=model.preprocess,
        gpu_inference=model.gpu_inference,
        postprocess=model.postprocess,
        sources=sources,
    )


def _choose(
    name: str,
    flags: Flags,
    environment: Mapping[str, str],
    model: FileConfig,
    content: Mapping[str, Any],
    path: Path,
) -> tuple[Any, str]:
    flag = getattr(flags, name, None)
    if flag:
        return flag, "flag"
    for variable in _ENVIRONMENT[name]:
        if environment.get(variable):
            return environment[variable], variable
    return getattr(model, name), _source(name, content, path)


def _source(name: str, content: Mapping[str, Any], path: Path) -> str:
    return path.name if name in content else DEFAULT


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"The configuration file {path} cannot be read.",
            details=str(error),
            resolution="Mend the file; docs/reference/configuration.md shows a whole one.",
        ) from error


def _validated(content: Mapping[str, Any], path: Path) -> FileConfig:
    try:
        return FileConfig.model_validate(content)
    except ValidationError as error:
        faults = "\n".join(_fault(fault) for fault in error.errors())
        raise UsageError(
            f"The configuration file {path} is not valid.",
            details=faults,
            resolution="Mend the lines above.",
        ) from error


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
    close = difflib.get_close_matches(str(fault["loc"][-1]), _keys_beside(fault["loc"]), n=1)
    return f"{place}: no such key" + (f"; did you mean {close[0]}?" if close else "")


def _keys_beside(place: tuple[Any, ...]) -> list[str]:
    """The keys that may stand where an unknown one does."""
    if len(place) == 1:
        return list(FileConfig.model_fields)
    tables: dict[str, type[_Strict]] = {"gpu_inference": GpuServiceConfig, "limits": LimitsConfig}
    return list(tables.get(place[0], ServiceConfig).model_fields)
