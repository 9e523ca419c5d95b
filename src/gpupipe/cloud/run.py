"""Cloud Run: services with the fields gpupipe owns, their bindings and their conditions.

Quantities are compared in one spelling: CPU as milli-CPU, memory in bytes ("1000m" equals "1").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gpupipe.cloud.call import none_if_missing, poll
from gpupipe.cloud.causes import ACCOUNT_VISIBLE, ACT_AS_VISIBLE, API_USABLE, BEING_DELETED
from gpupipe.cloud.clients import module
from gpupipe.cloud.operations import CREATE_S, DELETE_S, UPDATE_S
from gpupipe.cloud.policy import PolicyApi
from gpupipe.core.errors import GpupipeError

Traffic = tuple[tuple[str, int], ...]
"""Shares of the requests in percent, each with its revision; "" is the newest one that is ready."""
NEWEST: Traffic = (("", 100),)
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Vpc:
    """Where outgoing traffic goes: a network and subnetwork, or a connector; egress in Google's word."""

    network: str
    subnetwork: str
    connector: str
    egress: str

    def __str__(self) -> str:
        """As people read it in a plan."""
        through = self.connector or " ".join(
            part for part in (self.network, self.subnetwork) if part
        )
        return f"{self.egress} through {through}"


@dataclass(frozen=True, slots=True)
class Service:
    """What gpupipe wants of a service.

    name: "projects/P/locations/R/services/S"; cpu "4"; memory "16Gi"; timeout_s in seconds;
    accelerator "" = none; zonal_redundancy only means something with one; account: e-mail;
    probe: path, period in seconds, failures allowed; revision_labels: what its revisions carry
    beside the service's labels; ingress: Google's word for it.
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
    revision_labels: Mapping[str, str] = field(default_factory=dict)
    ingress: str = "INGRESS_TRAFFIC_ALL"
    vpc: Vpc | None = None
    kms_key: str = ""


@dataclass(frozen=True, slots=True)
class Maximum:
    """What a service or revision may grow to: instances of a size; accelerator "" = none."""

    name: str
    instances: int
    cpu: str
    memory: str
    accelerator: str


@dataclass(frozen=True, slots=True)
class Observed:
    """A service as it is: its owned fields, and what the API says of it; who wrote it last, and when.

    traffic: what was asked for; latest_ready_revision, latest_created_revision: without their parent.
    made: when it was created.
    """

    service: Service
    uri: str
    ready: bool
    reconciling: bool
    message: str
    latest_ready_revision: str
    latest_created_revision: str = ""
    traffic: Traffic = NEWEST
    modifier: str = ""
    updated: datetime | None = None
    made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision: its name without parent; `unhealthy` where its container did not start or its probe failed."""

    name: str
    labels: Mapping[str, str]
    created: datetime
    ready: bool
    unhealthy: bool


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

    def maxima(self, parent: str) -> tuple[Maximum, ...]:
        """What each service of a location, whoever's it is, may grow to; none where the API is off."""
        found = none_if_missing(
            lambda: self._all(
                "Listing services", parent, self._client.list_services, {"parent": parent}
            )
        )
        return tuple(_maximum(one) for one in found or ())

    def revision_maxima(self, service: str) -> tuple[Maximum, ...]:
        """What each revision of a service that still exists may grow to."""
        found = none_if_missing(
            lambda: self._all(
                "Listing the revisions",
                service,
                self._clients.client("revisions").list_revisions,
                {"parent": service},
            )
        )
        return tuple(_maximum(one, one) for one in found or ())

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
        """Roll out a changed service and wait until it is ready; foreign labels and the traffic stay."""
        current = self._current(wanted.name)
        labels = {**dict(current.labels), **wanted.labels}
        message = _message(replace(wanted, labels=labels))
        message.traffic = current.traffic
        return self._update(wanted.name, message)

    def route(
        self, name: str, traffic: Traffic, *, label: str = "", value: str = ""
    ) -> Observed | None:
        """Send the traffic where it is said, set a label ("" removes it); the template stays.

        None where the service is not ready though this was done: its newest revision is what failed.
        """
        message = self._current(name)
        addresses = [_target(one.revision, 0, one.tag) for one in message.traffic if one.tag]
        message.traffic = [*(_target(*share) for share in traffic), *addresses]
        message.labels.pop(label, None)
        if value:
            message.labels[label] = value
        message.etag = ""
        try:
            return self._update(name, message)
        except GpupipeError:
            found = self.get(name)
            if found is None or found.traffic != traffic or found.reconciling:
                raise
            return None

    def revisions(self, name: str) -> tuple[Revision, ...]:
        """The revisions of a service, newest first."""
        found = self._all(
            "Listing revisions",
            name,
            self._clients.client("revisions").list_revisions,
            {"parent": name},
        )
        made = (_revision(one) for one in found)
        return tuple(sorted(made, key=lambda one: (one.created, one.name), reverse=True))

    def _update(self, name: str, message: Any) -> Observed:
        done = self._operate(
            "Updating the service",
            name,
            self._client.update_service,
            {"service": message},
            UPDATE_S,
            causes=(ACT_AS_VISIBLE, ACCOUNT_VISIBLE),
        )
        return _observed(done)

    def _current(self, name: str) -> Any:
        return self._unary("Reading the service", name, self._client.get_service, {"name": name})

    def settled(self, name: str) -> Observed:
        """The service once no rollout runs any more; GpupipeError when that takes too long."""

        def ended() -> Observed | None:
            found = self.get(name)
            return None if found is None or found.reconciling else found

        return poll(
            self._caller,
            "the rollout that runs already",
            ended,
            deadline_s=UPDATE_S,
            error=lambda: _still_rolls(name),
            interval_s=5.0,
        )

    def delete(self, name: str) -> datetime | None:
        """Delete the service; until when Google keeps a trace of it, None where it was gone already."""
        found = none_if_missing(
            lambda: self._operate(
                "Deleting the service", name, self._client.delete_service, {"name": name}, DELETE_S
            )
        )
        return None if found is None else found.expire_time or None

    @property
    def _client(self) -> Any:
        return self._clients.client("run")


def _still_rolls(name: str) -> GpupipeError:
    return GpupipeError(
        f"A rollout of the service did not end within {UPDATE_S / 60:.0f} minutes.",
        resource=name,
        details="It was begun by an earlier command, or by somebody else.",
        resolution="See it with `gpupipe status`, then run the same command again.",
        doc="reference/errors.md#deadline",
    )


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
        labels={**wanted.labels, **wanted.revision_labels},
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
    if wanted.vpc:
        template.vpc_access = _vpc_message(types, wanted.vpc)
    template.encryption_key = wanted.kms_key
    return types.Service(name=wanted.name, labels=dict(wanted.labels), template=template,
                         ingress=types.IngressTraffic[wanted.ingress])  # fmt: skip


def _vpc_message(types: Any, vpc: Vpc) -> Any:
    network = types.VpcAccess.NetworkInterface(network=vpc.network, subnetwork=vpc.subnetwork)
    return types.VpcAccess(
        connector=vpc.connector,
        network_interfaces=[] if vpc.connector else [network],
        egress=types.VpcAccess.VpcEgress[vpc.egress],
    )


def _vpc(template: Any) -> Vpc | None:
    access = template.vpc_access
    if not access or not (access.connector or access.network_interfaces):
        return None
    first = access.network_interfaces[0] if access.network_interfaces else None
    return Vpc(
        str(first.network) if first else "",
        str(first.subnetwork) if first else "",
        str(access.connector),
        str(access.egress.name),
    )


def _target(revision: str, percent: int, tag: str = "") -> Any:
    types = module("google.cloud.run_v2").types
    kinds = types.TrafficTargetAllocationType
    kind = (
        kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
        if revision
        else kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    )
    return types.TrafficTarget(type_=kind, revision=revision, percent=percent, tag=tag)


def _traffic(found: Any) -> Traffic:
    """Shares alone: a tag gives a revision an address of its own and no requests."""
    return tuple(
        (str(one.revision).rpartition("/")[2], int(one.percent))
        for one in found.traffic
        if one.percent
    )


def _revision(found: Any) -> Revision:
    failed = {one.type_ for one in found.conditions if one.state.name == "CONDITION_FAILED"}
    ready = (one for one in found.conditions if one.type_ == "Ready")
    return Revision(
        name=str(found.name).rpartition("/")[2],
        labels=dict(found.labels),
        created=found.create_time,
        ready=any(one.state.name == "CONDITION_SUCCEEDED" for one in ready),
        unhealthy="ContainerHealthy" in failed,
    )


def _maximum(found: Any, template: Any = None) -> Maximum:
    template = template or found.template
    limits = dict(template.containers[0].resources.limits) if template.containers else {}
    return Maximum(
        name=str(found.name).rpartition("/")[2],
        instances=int(template.scaling.max_instance_count),
        cpu=limits.get("cpu", "0"),
        memory=limits.get("memory", "0"),
        accelerator=str(template.node_selector.accelerator) if template.node_selector else "",
    )


def _observed(found: Any) -> Observed:
    condition = found.terminal_condition
    return Observed(
        service=_service(found),
        uri=str(found.uri),
        ready=condition.state.name == "CONDITION_SUCCEEDED",
        reconciling=bool(found.reconciling),
        message=str(condition.message),
        latest_ready_revision=str(found.latest_ready_revision).rpartition("/")[2],
        latest_created_revision=str(found.latest_created_revision).rpartition("/")[2],
        made=found.create_time,
        traffic=_traffic(found) or NEWEST,
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
        revision_labels=dict(template.labels),
        ingress=str(found.ingress.name),
        vpc=_vpc(template),
        kms_key=str(template.encryption_key),
    )
