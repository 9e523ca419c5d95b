"""Cloud Run: services with the fields gpupipe owns, their bindings and their conditions.

Quantities are compared in one spelling: CPU as milli-CPU, memory in bytes ("1000m" equals "1").
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import ACCOUNT_VISIBLE, ACT_AS_VISIBLE, API_USABLE, BEING_DELETED
from gpupipe.cloud.clients import module
from gpupipe.cloud.operations import CREATE_S, DELETE_S, UPDATE_S
from gpupipe.cloud.policy import PolicyApi

_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Service:
    """What gpupipe wants of a service.

    name: "projects/P/locations/R/services/S"; cpu "4"; memory "16Gi"; timeout_s in seconds;
    accelerator "" = none; zonal_redundancy only means something with one; account: e-mail;
    probe: path, period in seconds, failures allowed.
    """

    name: str
    image: str
    account: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    cpu: str
    memory: str
    accelerator: str
    zonal_redundancy: bool
    cpu_idle: bool
    startup_boost: bool
    concurrency: int
    timeout_s: int
    min_instances: int
    max_instances: int
    probe: tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Observed:
    """A service as it is: its owned fields, and what the API says of it; who wrote it last, and when."""

    service: Service
    uri: str
    ready: bool
    reconciling: bool
    message: str
    latest_ready_revision: str
    modifier: str = ""
    updated: datetime | None = None


class RunApi(PolicyApi):
    """The calls that gpupipe needs of Cloud Run."""

    _who = "who may call the service"

    def get(self, name: str) -> Observed | None:
        """The service, or None."""
        found = none_if_missing(
            lambda: self._unary(
                "Reading the service", name, self._client.get_service, {"name": name}
            )
        )
        return None if found is None else _observed(found)

    def labelled(self, parent: str, labels: Mapping[str, str]) -> tuple[Observed, ...]:
        """The services of a location that carry all these labels."""
        found = none_if_missing(
            lambda: self._all(
                "Listing services", parent, self._client.list_services, {"parent": parent}
            )
        )
        return tuple(
            _observed(one) for one in found or () if labels.items() <= dict(one.labels).items()
        )

    def create(self, wanted: Service) -> Observed:
        """Make the service and wait until it is ready."""
        parent, _, service_id = wanted.name.partition("/services/")
        message = _message(wanted)
        message.name = ""
        done = self._operate(
            "Creating the service",
            wanted.name,
            self._client.create_service,
            {"parent": parent, "service_id": service_id, "service": message},
            CREATE_S,
            causes=(API_USABLE, ACT_AS_VISIBLE, ACCOUNT_VISIBLE, BEING_DELETED),
        )
        return _observed(done)

    def update(self, wanted: Service) -> Observed:
        """Roll out a changed service and wait until it is ready; foreign labels stay."""
        current = self._unary(
            "Reading the service", wanted.name, self._client.get_service, {"name": wanted.name}
        )
        labels = {**dict(current.labels), **wanted.labels}
        done = self._operate(
            "Updating the service",
            wanted.name,
            self._client.update_service,
            {"service": _message(replace(wanted, labels=labels))},
            UPDATE_S,
            causes=(ACT_AS_VISIBLE, ACCOUNT_VISIBLE),
        )
        return _observed(done)

    def delete(self, name: str) -> None:
        """Delete the service; one that is gone already is fine."""
        none_if_missing(
            lambda: self._operate(
                "Deleting the service", name, self._client.delete_service, {"name": name}, DELETE_S
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("run")


def _message(wanted: Service) -> Any:
    types = module("google.cloud.run_v2").types
    path, period, failures = wanted.probe
    limits = {"cpu": wanted.cpu, "memory": wanted.memory}
    if wanted.accelerator:
        limits[_GPU] = "1"
    template = types.RevisionTemplate(
        service_account=wanted.account,
        timeout={"seconds": wanted.timeout_s},
        max_instance_request_concurrency=wanted.concurrency,
        labels=dict(wanted.labels),
        scaling=types.RevisionScaling(
            min_instance_count=wanted.min_instances, max_instance_count=wanted.max_instances
        ),
        containers=[
            types.Container(
                image=wanted.image,
                env=[
                    types.EnvVar(name=name, value=value)
                    for name, value in sorted(wanted.environment.items())
                ],
                resources=types.ResourceRequirements(
                    limits=limits,
                    cpu_idle=wanted.cpu_idle,
                    startup_cpu_boost=wanted.startup_boost,
                ),
                startup_probe=types.Probe(
                    http_get=types.HTTPGetAction(path=path),
                    period_seconds=period,
                    timeout_seconds=period,
                    failure_threshold=failures,
                ),
            )
        ],
    )
    if wanted.accelerator:
        template.node_selector = types.NodeSelector(accelerator=wanted.accelerator)
        template.gpu_zonal_redundancy_disabled = not wanted.zonal_redundancy
    return types.Service(name=wanted.name, labels=dict(wanted.labels), template=template,
                         ingress=types.IngressTraffic.INGRESS_TRAFFIC_ALL)  # fmt: skip


def _observed(found: Any) -> Observed:
    condition = found.terminal_condition
    return Observed(
        service=_service(found),
        uri=str(found.uri),
        ready=condition.state.name == "CONDITION_SUCCEEDED",
        reconciling=bool(found.reconciling),
        message=str(condition.message),
        latest_ready_revision=str(found.latest_ready_revision).rpartition("/")[2],
        modifier=str(found.last_modifier),
        updated=found.update_time,
    )


def _service(found: Any) -> Service:
    template = found.template
    container = template.containers[0] if template.containers else None
    limits = dict(container.resources.limits) if container else {}
    accelerator = str(template.node_selector.accelerator) if template.node_selector else ""
    probe = container.startup_probe if container else None
    return Service(
        name=str(found.name),
        image=str(container.image) if container else "",
        account=str(template.service_account),
        labels=dict(found.labels),
        environment={str(one.name): str(one.value) for one in container.env} if container else {},
        cpu=limits.get("cpu", "0"),
        memory=limits.get("memory", "0"),
        accelerator=accelerator,
        zonal_redundancy=not template.gpu_zonal_redundancy_disabled if accelerator else False,
        cpu_idle=bool(container.resources.cpu_idle) if container else False,
        startup_boost=bool(container.resources.startup_cpu_boost) if container else False,
        concurrency=int(template.max_instance_request_concurrency),
        timeout_s=int(template.timeout.total_seconds()) if template.timeout else 0,
        min_instances=int(template.scaling.min_instance_count),
        max_instances=int(template.scaling.max_instance_count),
        probe=(
            (str(probe.http_get.path), int(probe.period_seconds), int(probe.failure_threshold))
            if probe and probe.http_get
            else ("", 0, 0)
        ),
    )
