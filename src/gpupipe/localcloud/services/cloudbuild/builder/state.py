"""A stage while it is built: its folder and what its instructions have set so far."""

from dataclasses import dataclass, field
from pathlib import Path

from gpupipe.localcloud.kernel.registry_images import ImageConfig

# What the python image sets (docker-library/python); its other variables describe its own Python.
_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class StageState:
    """root: the folder that stands for the container's file system."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _BASE_PATH, "LANG": "C.UTF-8"})
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    port: int | None = None
    cmd: tuple[str, ...] = ("python3",)
    entrypoint: tuple[str, ...] = ()
    cmd_is_own: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """What `$NAME` stands for: ENV wins over ARG."""
        return {**self.arguments, **self.env}

    def config(self) -> ImageConfig:
        """The image's configuration."""
        return ImageConfig(
            cmd=self.cmd,
            entrypoint=self.entrypoint,
            env=dict(self.env),
            workdir=self.workdir,
            user=self.user,
            exposed_port=self.port,
            labels=dict(self.labels),
        )

    def child(self, root: Path) -> "StageState":
        """The state of a stage FROM this one; ARGs end with their stage."""
        return StageState(
            root,
            dict(self.env),
            {},
            dict(self.labels),
            self.workdir,
            self.user,
            self.port,
            self.cmd,
            self.entrypoint,
        )
