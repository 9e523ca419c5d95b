"""google.api.serviceusage.v1.ServiceUsage: the handlers.

In a fresh project serviceusage and cloudresourcemanager are enabled (a local rule, for the first
calls of a deploy), with those that every project has.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from google.cloud import service_usage_v1
from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.errors import failed_precondition, invalid_argument
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.services.serviceusage import rules
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

Service = raw(service_usage_v1.Service)
_ENABLED = int(service_usage_v1.State.ENABLED)
_DISABLED = int(service_usage_v1.State.DISABLED)
_MOST = 200  # ListServicesRequest.page_size
_MOST_GET = 30  # BatchGetServicesRequest.names


class ServiceUsage:
    """Get, list, enable, disable; the operations are done at once."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, request: Any, _: Call) -> Any:
        """GetService."""
        return self._service(request.name)

    def batch_get(self, request: Any, _: Call) -> Any:
        """BatchGetServices, at most 30 of one project."""
        names = list(request.names)
        if not names or len(names) > _MOST_GET:
            raise invalid_argument(f"One to {_MOST_GET} names are required.", "names")
        if any(not name.startswith(f"{request.parent}/services/") for name in names):
            raise invalid_argument("All services must be of the parent.", "names")
        found = [self._service(name) for name in names]
        return raw(service_usage_v1.BatchGetServicesResponse)(services=found)

    def list(self, request: Any, _: Call) -> Any:
        """ListServices."""
        wanted, project = rules.wanted_state(request.filter), self._project(request.parent)
        enabled = self._kernel.projects.enabled_apis(project.id)
        names = (
            name
            for name in rules.CATALOGUE.keys() | enabled
            if wanted is None or (name in enabled) is wanted
        )
        page, token = page_of(names, str, request.page_size, request.page_token, most=_MOST)
        return raw(service_usage_v1.ListServicesResponse)(
            services=[_message(project, name, enabled=name in enabled) for name in page],
            next_page_token=token,
        )

    def enable(self, request: Any, _: Call) -> Operation:
        """EnableService."""
        named, service = rules.parts(request.name)
        rules.check_known(service)
        project = self._project(f"projects/{named}")
        self._enable(project, [service])
        answer = raw(service_usage_v1.EnableServiceResponse)(
            service=_message(project, service, enabled=True)
        )
        return self._done(project, [service], answer)

    def batch_enable(self, request: Any, _: Call) -> Operation:
        """BatchEnableServices: all or none."""
        services = list(request.service_ids)
        rules.check_batch(services)
        project = self._project(request.parent)
        self._enable(project, services)
        enabled = [_message(project, name, enabled=True) for name in services]
        answer = raw(service_usage_v1.BatchEnableServicesResponse)(services=enabled)
        return self._done(project, services, answer)

    def disable(self, request: Any, _: Call) -> Operation:
        """DisableService; what it holds stays and answers again once it is enabled."""
        named, service = rules.parts(request.name)
        rules.check_known(service)
        project = self._project(f"projects/{named}")
        if not self._kernel.projects.is_enabled(project.id, service):
            raise failed_precondition(f"The service {service} is not enabled.")  # own words
        self._kernel.projects.set_enabled(project.id, service, enabled=False)
        answer = raw(service_usage_v1.DisableServiceResponse)(
            service=_message(project, service, enabled=False)
        )
        return self._done(project, [service], answer)

    def _service(self, name: str) -> Any:
        named, service = rules.parts(name)
        rules.check_known(service)
        project = self._project(f"projects/{named}")
        enabled = self._kernel.projects.is_enabled(project.id, service)
        return _message(project, service, enabled=enabled)

    def _project(self, parent: str) -> Project:
        kind, _, named = parent.partition("/")
        project = self._kernel.projects.get(named) if kind == "projects" else None
        if project is None:
            raise invalid_argument(
                f"Invalid parent {parent!r}: expected projects/PROJECT.", "parent"
            )
        return project

    def _enable(self, project: Project, services: Sequence[str]) -> None:
        rules.check_billing(self._kernel.billing, project, services)
        with self._kernel.database.transaction():
            for service in services:
                self._kernel.projects.enable(project.id, service)

    def _done(self, project: Project, services: Sequence[str], answer: Any) -> Operation:
        metadata = raw(service_usage_v1.OperationMetadata)(
            resource_names=[f"projects/{project.number}/services/{name}" for name in services]
        )
        return self._kernel.operations.done(
            operation_name(project), metadata=metadata, response=answer, resource=project.name
        )


def operation_name(project: Project) -> str:
    """A new name; REST clients of this API refuse any that does not begin with operations/."""
    return f"operations/acat.p2-{project.number}-{uuid4()}"


def _message(project: Project, service: str, *, enabled: bool) -> Any:
    return Service(
        name=f"projects/{project.number}/services/{service}",
        parent=f"projects/{project.number}",
        config={"name": service, "title": rules.CATALOGUE.get(service, "")},
        state=_ENABLED if enabled else _DISABLED,
    )
