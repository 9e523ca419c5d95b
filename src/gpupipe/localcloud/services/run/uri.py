"""Addresses of services: made when they are read, since the daemon's port changes."""

from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.names import service_name

PREFIX = "run"


def uri_of(kernel: Kernel, name: str) -> str:
    """The uri of a service, which is also the audience of its identity tokens."""
    parts = service_name(name)
    return f"{kernel.http}/{PREFIX}/{parts.project}/{parts.region}/{parts.service}"


def present(kernel: Kernel, service: Any) -> Any:
    """A service as a client sees it; one that was never ready has no uri."""
    shown = messages.Service()
    shown.CopyFrom(service)
    if service.latest_ready_revision:
        shown.uri = uri_of(kernel, service.name)
        shown.urls.append(shown.uri)
    return shown
