"""The wiring: the target resolved once, the local daemon made to run, clients built.

Commands hold no wiring; nothing below this module knows which target it works on.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import Clients, GoogleClients, LocalClients
from gpupipe.cloud.cloud import Cloud, connect
from gpupipe.cloud.target import Endpoint, Target, resolve
from gpupipe.core.clock import SystemClock
from gpupipe.core.config import Config, Flags, load
from gpupipe.core.errors import UsageError
from gpupipe.core.names import Names
from gpupipe.core.paths import gpupipe_home
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.localcloud import daemon

LOCAL_HURRY = 0.05
"""Pauses on the local cloud, as a share of those on Google Cloud."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with."""

    target: Target
    config: Config
    spec: PipelineSpec
    clock: SystemClock
    cloud: Cloud


def local_home() -> Path:
    """The folder of the local cloud."""
    return gpupipe_home() / "local"


def open_context(flags: Flags, *, environment: Mapping[str, str] | None = None) -> Context:
    """Resolve, name the target on stderr, connect. Raises UsageError, CredentialsError."""
    environment = os.environ if environment is None else environment
    config = load(flags, environment, Path.cwd())
    target = resolve(flags, config)
    spec = PipelineSpec(Names(target.project, config.region, config.prefix), config)
    print(target.describe(), file=sys.stderr, flush=True)
    clock = SystemClock()
    clients, hurry = _clients(target, config, flags)
    return Context(target, config, spec, clock, connect(clients, Caller(clock, hurry=hurry)))


def _clients(target: Target, config: Config, flags: Flags) -> tuple[Clients, float]:
    impersonate = flags.impersonate_service_account
    if not target.is_local:
        return GoogleClients(target.project, config.region, impersonate=impersonate), 1.0
    info = daemon.ensure_running(local_home())
    if info.notice:
        print(info.notice, file=sys.stderr, flush=True)
    endpoint = Endpoint(info.grpc, info.http, Path(info.token_file))
    return LocalClients(endpoint, target.project, impersonate=impersonate), LOCAL_HURRY


def require_named_project(target: Target) -> None:
    """A first deploy to Google needs --project where the id came only from the environment."""
    if target.is_local or target.project_source not in {"GOOGLE_CLOUD_PROJECT", "PROJECT_ID"}:
        return
    raise UsageError(
        f"The project {target.project} is only known from {target.project_source}.",
        details="There is no pipeline in it yet, so this could be an accident; --yes does not cover it.",
        resolution=f"Give --project {target.project}, or use --local.",
        doc="reference/errors.md#project-from-the-environment",
    )
