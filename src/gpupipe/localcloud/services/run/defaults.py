"""What the server fills in: the defaults that a recorded service showed (gcp-facts §1 and §2)."""

from typing import Any

from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.quantities import milli_cpu

_CPU, _MEMORY = "1000m", "512Mi"
_CONCURRENCY = 80
_ONE_CPU = 1000
_TIMEOUT_S = 300
_PORT = 8080
_TCP_TIMEOUT_S = 240


def fill_in(service: Any, project_number: int) -> None:
    """Complete a service as Cloud Run does before it checks it."""
    template = service.template
    if not service.ingress:
        service.ingress = messages.INGRESS_ALL
    if not service.launch_stage:
        service.launch_stage = messages.GA
    if not service.traffic:
        service.traffic.add(type_=messages.LATEST, percent=100)
    if not template.HasField("timeout"):
        template.timeout.seconds = _TIMEOUT_S
    if not template.service_account:
        template.service_account = f"{project_number}-compute@developer.gserviceaccount.com"
    for container in template.containers:
        _fill_in_container(container)
    if not template.max_instance_request_concurrency:
        template.max_instance_request_concurrency = _concurrency(template)


def _concurrency(template: Any) -> int:
    """80, or 1 below one CPU (run_v2 RevisionTemplate)."""
    cpus = [milli_cpu(container.resources.limits["cpu"]) for container in template.containers]
    return 1 if any(cpu is not None and cpu < _ONE_CPU for cpu in cpus) else _CONCURRENCY


def _fill_in_container(container: Any) -> None:
    if not container.HasField("resources"):
        # Only when nothing was said: otherwise an unset cpu_idle means "always allocated".
        container.resources.cpu_idle = True
        container.resources.startup_cpu_boost = True
    limits = container.resources.limits
    if "cpu" not in limits:
        limits["cpu"] = _CPU
    if "memory" not in limits:
        limits["memory"] = _MEMORY
    if not container.ports:
        container.ports.add(name="http1", container_port=_PORT)
    for port in container.ports:
        port.name = port.name or "http1"
        port.container_port = port.container_port or _PORT
    _fill_in_probe(container)


def _fill_in_probe(container: Any) -> None:
    port = container.ports[0].container_port
    if not container.HasField("startup_probe"):
        probe = container.startup_probe
        probe.timeout_seconds = probe.period_seconds = _TCP_TIMEOUT_S
        probe.failure_threshold = 1
        probe.tcp_socket.port = port
        return
    probe = container.startup_probe
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.failure_threshold = probe.failure_threshold or 3
    kind = probe.WhichOneof("probe_type")
    if kind == "http_get":
        probe.http_get.path = probe.http_get.path or "/"
        probe.http_get.port = probe.http_get.port or port
    elif kind == "tcp_socket":
        probe.tcp_socket.port = probe.tcp_socket.port or port
