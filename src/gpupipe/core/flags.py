"""What the command line says about a pipeline, before anything is read or merged. Imports next to nothing."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about target, place, name and options; None = not given.

    settings: the texts of `--set`, "gpu_inference.memory=32Gi".
    """

    local: bool = False
    project: str | None = None
    region: str | None = None
    prefix: str | None = None
    preset: str | None = None
    settings: tuple[str, ...] = ()
    config: Path | str | None = None
    impersonate_service_account: str | None = None
