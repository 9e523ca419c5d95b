"""The wiring: the target resolved once, the local daemon made to run, clients built.

Commands hold no wiring; nothing below this module knows which target it works on.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from gpupipe.cloud.call import Caller, Presence
from gpupipe.cloud.clients import Clients, GoogleClients, LocalClients
from gpupipe.cloud.cloud import Cloud, connect
from gpupipe.cloud.target import Endpoint, Target, resolve
from gpupipe.core.clock import SystemClock
from gpupipe.core.config import FILE, URL, Config, decoded, is_url, load, load_text
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.manners import manners
from gpupipe.core.paths import gpupipe_home
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo

LOCAL_HURRY = 0.05
"""Pauses on the local cloud, as a share of those on Google Cloud."""

LOCAL_ABSENCE_S = 2.0
"""How long nobody may listen at the local cloud's address before it counts as ended."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with."""

    target: Target
    config: Config
    spec: PipelineSpec
    clock: SystemClock
    cloud: Cloud


class _LocalClock(SystemClock):
    """Tells the local cloud's time, which people can move ahead: entries and metrics are of its time."""

    def now(self) -> datetime:
        """The time of day there; the machine's where the local cloud does not tell."""
        info = daemon.status(local_home())
        try:
            ahead_s = daemon.call(info, "GET", "/control/clock")["ahead_s"] if info else 0.0
        except GpupipeError:
            ahead_s = 0.0
        return super().now() + timedelta(seconds=ahead_s)


def local_home() -> Path:
    """The folder of the local cloud."""
    return gpupipe_home() / "local"


def history_folder(context: Context) -> Path:
    """Where the records of a pipeline's runs are kept on this machine."""
    names = context.spec.names
    place = (context.target.kind.value, names.project, f"{names.prefix}.{names.region}")
    return gpupipe_home().joinpath("history", *place)


def open_context(flags: Flags, *, environment: Mapping[str, str] | None = None) -> Context:
    """Resolve, name the target on stderr, connect. Raises UsageError, CredentialsError."""
    environment = os.environ if environment is None else environment
    config = read_config(flags, environment)
    target = resolve(flags, config)
    spec = PipelineSpec(config.names(target.project), config)
    for line in (target.describe(), *config.notices):
        _tell(line)
    clock = _LocalClock() if target.is_local else SystemClock()
    return Context(target, config, spec, clock, _connect(target, config, flags, clock))


def read_config(
    flags: Flags,
    environment: Mapping[str, str],
    connect_to: Callable[[Target, Config, Flags, SystemClock], Cloud] | None = None,
) -> Config:
    """The configuration; one that `--config gs://…` names is read with the target's own client.

    Target and credentials are then what flags and environment say, before that file is known.
    """
    if not is_url(flags.config):
        return load(flags, environment, Path.cwd())
    url = str(flags.config)
    bucket, _, name = url.removeprefix(URL).partition("/")
    before = load_text("", Path(name or FILE), replace(flags, config=None), environment)
    cloud = (connect_to or _connect)(resolve(flags, before), before, flags, SystemClock())
    content = cloud.storage.read(bucket, name) if bucket and name else None
    if content is None:
        raise UsageError(
            f"There is no configuration file {url}.",
            resolution="Give an object as gs://BUCKET/NAME.",
        )
    path = Path.cwd() / name.rpartition("/")[2]
    return load_text(decoded(content, path), path, flags, environment)


def _connect(target: Target, config: Config, flags: Flags, clock: SystemClock) -> Cloud:
    impersonate = flags.impersonate_service_account
    clients: Clients
    if target.is_local:
        clients, caller = _local(target, clock, impersonate)
    else:
        clients = GoogleClients(target.project, config.region, impersonate=impersonate)
        caller = Caller(clock)
    if manners().verbose:
        caller.on_call = _tell_call
    return connect(clients, caller)


def _tell(line: str) -> None:
    if not manners().quiet:
        print(line, file=sys.stderr, flush=True)


def _tell_call(what: str, resource: str, seconds: float) -> None:
    # In one piece: calls end in several threads.
    sys.stderr.write(f"  {what}: {resource} ({seconds * 1000:.0f} ms)\n")


def _local(target: Target, clock: SystemClock, impersonate: str | None) -> tuple[Clients, Caller]:
    info = daemon.ensure_running(local_home())
    if info.notice:
        _tell(info.notice)
    endpoint = Endpoint(info.grpc, info.http, Path(info.token_file))
    presence = Presence(LOCAL_ABSENCE_S, lambda: _ended(info))
    caller = Caller(clock, hurry=LOCAL_HURRY, presence=presence)
    return LocalClients(endpoint, target.project, impersonate=impersonate), caller


def _ended(info: DaemonInfo) -> GpupipeError:
    return GpupipeError(
        "The local cloud ended while the command ran.",
        resource=f"process {info.pid} at {info.http}",
        details=f"What it stored is kept. Its last lines are in {local_home() / 'daemon.log'}.",
        resolution="Run the same command again: it starts the local cloud and finishes the rest.",
        doc="reference/errors.md#local-cloud-ended",
    )


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
