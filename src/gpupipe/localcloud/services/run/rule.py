"""A refusal of the emulator: what it looks at, what it refuses, in which words.

The requests that are refused, where we know it from and how sure we are stand in
tests/refusals/run.yaml; the local cloud does not read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gpupipe.localcloud.errors import Code, Details, FieldViolation, ServiceError
from gpupipe.localcloud.services.run.quantities import memory_bytes, milli_cpu

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Shape:
    """A service as the rules look at it: completed, with one container at hand."""

    service_id: str
    service: Any

    @property
    def template(self) -> Any:
        """The revision template."""
        return self.service.template

    @property
    def container(self) -> Any:
        """The first container (an earlier rule refuses none and several)."""
        return self.template.containers[0]

    @property
    def limits(self) -> Mapping[str, str]:
        """The container's limits."""
        limits: Mapping[str, str] = self.container.resources.limits
        return limits

    @cached_property
    def cpu(self) -> int:
        """Milli-CPU of the container (0 when it is not readable)."""
        return milli_cpu(self.limits.get("cpu", "")) or 0

    @cached_property
    def memory(self) -> int:
        """Bytes of memory of the container (0 when it is not readable)."""
        return memory_bytes(self.limits.get("memory", "")) or 0

    @property
    def most(self) -> int:
        """The maximum of instances in force: the smaller of the two that were set; 0: none was."""
        both = (self.template.scaling.max_instance_count, self.service.scaling.max_instance_count)
        return min((count for count in both if count), default=0)

    @property
    def has_gpu(self) -> bool:
        """Whether the template asks for a GPU in either of the two places."""
        return GPU in self.limits or bool(self.template.node_selector.accelerator)


@dataclass(frozen=True, slots=True)
class Rule:
    """One refusal. `path` is the field's in the request; `refuses` gives the text, or None."""

    name: str
    path: str
    refuses: Callable[[Shape], str | None]
    code: Code = Code.INVALID_ARGUMENT

    def check(self, shape: Shape) -> None:
        """Raise this refusal if it applies."""
        text = self.refuses(shape)
        if text is not None:
            raise ServiceError(self.code, text, Details(fields=(FieldViolation(self.path, text),)))
