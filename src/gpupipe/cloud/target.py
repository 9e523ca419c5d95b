"""Where commands work: the local cloud or Google Cloud. Decided once; imports nothing of Google's."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gpupipe.core.config import Config
from gpupipe.core.errors import UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.names import check_project

LOCAL_PROJECT = "gpupipe-local"


class Kind(StrEnum):
    """The two targets."""

    LOCAL = "local"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Target:
    """A target and why it was chosen; `project` is the project to work in.

    project_source: "flag", a variable's name, a file's name, or "default".
    """

    kind: Kind
    project: str
    project_source: str
    reason: str

    @property
    def is_local(self) -> bool:
        """True for the local cloud."""
        return self.kind is Kind.LOCAL

    def describe(self) -> str:
        """The first line of every command."""
        place = "the local cloud" if self.is_local else "Google Cloud"
        return f"Target: {place}, project {self.project} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses of a local cloud: "127.0.0.1:PORT", "http://127.0.0.1:PORT" and its token's file."""

    grpc: str
    http: str
    token_file: Path


def resolve(flags: Flags, config: Config) -> Target:
    """The rule of DESIGN 1: --local or --project, GPUPIPE_TARGET, the file, a configured project."""
    source = config.sources.get("project", "default")
    if flags.local:
        # Only a project given beside --local names one of the local cloud's projects.
        return _local(flags.project, "flag" if flags.project else "default", "--local")
    if flags.project:
        return _google(flags.project, "flag", "--project")
    if config.target == Kind.LOCAL:
        own = (
            config.project
            if source not in {"default", "GOOGLE_CLOUD_PROJECT", "PROJECT_ID"}
            else None
        )
        return _local(own, source if own else "default", f"target from {config.sources['target']}")
    if config.target == Kind.GOOGLE:
        if not config.project:
            raise UsageError(
                f"The target is Google Cloud (from {config.sources['target']}), but no project is set.",
                resolution="Give --project, or use --local.",
            )
        return _google(config.project, source, f"target from {config.sources['target']}")
    if config.project:
        return _google(config.project, source, f"project from {source}")
    return _local(None, "default", "no project is configured")


def _local(project: str | None, source: str, reason: str) -> Target:
    return Target(Kind.LOCAL, check_project(project or LOCAL_PROJECT), source, reason)


def _google(project: str, source: str, reason: str) -> Target:
    return Target(Kind.GOOGLE, check_project(project), source, reason)
