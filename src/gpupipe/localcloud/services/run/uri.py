"""Addresses of services: made when they are read, since the daemon's port changes."""

from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.names import service_name

PREFIX = "run"
_TAG = "---"


def uri_of(kernel: Kernel, name: str) -> str:
    """The uri of a service, which is also the audience of its identity tokens."""
    parts = service_name(name)
    return f"{kernel.http}/{PREFIX}/{parts.project}/{parts.region}/{parts.service}"


def split_tag(service: str) -> tuple[str, str]:
    """(tag, service id) of the last part of a tag's uri; ("", service id) where there is no tag."""
    tag, found, rest = service.partition(_TAG)
    return (tag, rest) if found else ("", service)


def _uri_of_tag(kernel: Kernel, name: str, tag: str) -> str:
    root, _, service = uri_of(kernel, name).rpartition("/")
    return f"{root}/{tag}{_TAG}{service}"


def present(kernel: Kernel, service: Any) -> Any:
    """A service as a client sees it; one that was never ready has no uri."""
    shown = messages.Service()
    shown.CopyFrom(service)
    if service.latest_ready_revision:
        shown.uri = uri_of(kernel, service.name)
        shown.urls.append(shown.uri)
    for status in shown.traffic_statuses:
        if status.tag:
            status.uri = _uri_of_tag(kernel, service.name, status.tag)
    return shown
