"""What the runner must know of a revision: a program in an image's folder and how to run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A container's program: the image's folder is its root, paths are as inside the container."""

    root: Path
    command: tuple[str, ...]
    workdir: str = "/"
    image_environment: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartupProbe:
    """When an instance counts as started. `path` None: it listens (TCP); else HTTP 200 to 399."""

    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    initial_delay_s: float = 0
    timeout_s: float = 240
    period_s: float = 240
    failure_threshold: int = 1


@dataclass(frozen=True, slots=True)
class RunnableRevision:
    """One revision as the runner sees it; `service` and `revision` are the short names.

    `allocation`: what one instance takes of quotas, by their ids, in the quota's own unit.
    `cpu_idle`: instances get CPU, and are billed, only while they have requests.
    """

    project: str
    project_number: int
    region: str
    service: str
    revision: str
    account: str
    program: Program
    probe: StartupProbe = StartupProbe()
    accelerator: str = ""
    concurrency: int = 80
    min_instances: int = 0
    max_instances: int = 100
    timeout_s: float = 300
    cpu_idle: bool = False
    allocation: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The resource name of the revision."""
        return (
            f"projects/{self.project}/locations/{self.region}/services/{self.service}"
            f"/revisions/{self.revision}"
        )
