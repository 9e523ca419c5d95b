"""Revisions: made from a service's template, and turned into what the runner runs."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.runner.revision import Program, RunnableRevision, StartupProbe
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.names import service_name
from gpupipe.localcloud.services.run.quotas import allocation

_ALPHABET = "bcdfghjklmnpqrstvwxz0123456789"
_NO_MAXIMUM = 100  # run_v2 RevisionScaling
_COPIED = (
    "labels",
    "annotations",
    "scaling",
    "timeout",
    "service_account",
    "containers",
    "execution_environment",
    "max_instance_request_concurrency",
    "node_selector",
    "gpu_zonal_redundancy_disabled",
    "vpc_access",
    "encryption_key",
)


def of_template(service: Any, now: datetime) -> Any:
    """A new revision of a service, not ready yet."""
    revision = _copy(service.template)
    short = service.name.rpartition("/")[2]
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(3))
    own = service.template.revision or f"{short}-{service.generation:05d}-{suffix}"
    revision.name = f"{service.name}/revisions/{own}"
    revision.service = short
    revision.uid = str(uuid4())
    revision.generation = 1
    revision.launch_stage = service.launch_stage
    revision.creator = service.last_modifier
    revision.etag = new_etag()
    revision.reconciling = True
    revision.create_time.FromDatetime(now)
    revision.update_time.FromDatetime(now)
    return revision


def is_of_template(revision: Any, service: Any) -> bool:
    """Whether a revision is what the template asks for."""
    wanted = service.template.revision
    if wanted and revision.name.rpartition("/")[2] != wanted:
        return False
    return bool(_copy(revision) == _copy(service.template))


def _copy(source: Any) -> Any:
    revision = messages.Revision()
    for field, value in source.ListFields():
        if field.name not in _COPIED:
            continue
        target = getattr(revision, field.name)
        if hasattr(target, "MergeFrom"):
            target.MergeFrom(value)
        else:
            setattr(revision, field.name, value)
    return revision


def new_etag() -> str:
    """An etag in the recorded form: the quotes are part of it."""
    return f'"{secrets.token_urlsafe(12)}"'


def runnable(
    revision: Any, folder: Path, config: ImageConfig, *, number: int, most: int
) -> RunnableRevision:
    """What the runner needs; `number` is the project's, `most` the service's own maximum or 0."""
    name = service_name(revision.name.rpartition("/revisions/")[0])
    container = revision.containers[0]
    return RunnableRevision(
        project=name.project,
        project_number=number,
        region=name.region,
        service=name.service,
        revision=revision.name.rpartition("/")[2],
        account=revision.service_account,
        program=_program(container, folder, config),
        probe=_probe(container.startup_probe),
        accelerator=revision.node_selector.accelerator,
        concurrency=revision.max_instance_request_concurrency,
        min_instances=revision.scaling.min_instance_count,
        max_instances=maximum(revision, most),
        timeout_s=revision.timeout.seconds + revision.timeout.nanos / 1e9,
        cpu_idle=container.resources.cpu_idle,
        allocation=allocation(revision),
    )


def maximum(revision: Any, most: int) -> int:
    """Instances of a revision whose service allows `most` (0: as many as the revision does)."""
    counts = (revision.scaling.max_instance_count, most)
    return min((count for count in counts if count), default=_NO_MAXIMUM)


def _program(container: Any, folder: Path, config: ImageConfig) -> Program:
    # As in Kubernetes: an own command drops the image's CMD too.
    command = tuple(container.command) or config.entrypoint
    arguments = tuple(container.args) or (() if container.command else config.cmd)
    return Program(
        root=folder,
        command=(*command, *arguments),
        workdir=container.working_dir or config.workdir,
        image_environment=config.env,
        environment={variable.name: variable.value for variable in container.env},
    )


def _probe(probe: Any) -> StartupProbe:
    http = probe.http_get if probe.HasField("http_get") else None
    return StartupProbe(
        path=http.path if http else None,
        headers=tuple((h.name, h.value) for h in http.http_headers) if http else (),
        initial_delay_s=probe.initial_delay_seconds,
        timeout_s=probe.timeout_seconds,
        period_s=probe.period_seconds,
        failure_threshold=probe.failure_threshold,
    )
