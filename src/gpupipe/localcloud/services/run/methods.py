"""The table of Cloud Run's gRPC methods."""

from collections.abc import Callable, Iterator
from typing import Any

from google.longrunning import operations_pb2

from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.names import API
from gpupipe.localcloud.services.run.revision_methods import Revisions
from gpupipe.localcloud.services.run.services import Services
from gpupipe.localcloud.transport.rpc import Rpc

Operation = operations_pb2.Operation
_SERVICES = "/google.cloud.run.v2.Services/"
_REVISIONS = "/google.cloud.run.v2.Revisions/"


def _row(
    path: str,
    types: tuple[Any, Any],
    handler: Callable[[Any, Any], Any],
    permission: str,
    resource: str,
    *,
    writes: bool = False,
) -> Rpc:
    def of(request: Any) -> str:
        for part in resource.split("."):
            request = getattr(request, part)
        return str(request)

    return Rpc(path, *types, handler, API, permission and f"run.{permission}", of, writes)


def service_rows(services: Services) -> Iterator[Rpc]:
    """google.cloud.run.v2.Services."""
    for verb, request, answer, handler, resource in (
        ("Get", messages.GetServiceRequest, messages.Service, services.get, "name"),
        ("Create", messages.CreateServiceRequest, Operation, services.create, "parent"),
        ("Update", messages.UpdateServiceRequest, Operation, services.update, "service.name"),
        ("Delete", messages.DeleteServiceRequest, Operation, services.delete, "name"),
    ):
        yield _row(
            f"{_SERVICES}{verb}Service",
            (request, answer),
            handler,
            f"services.{verb.lower()}",
            resource,
            writes=verb != "Get",
        )
    yield _row(
        f"{_SERVICES}ListServices",
        (messages.ListServicesRequest, messages.ListServicesResponse),
        services.list,
        "services.list",
        "parent",
    )


def revision_rows(revisions: Revisions) -> Iterator[Rpc]:
    """google.cloud.run.v2.Revisions."""
    yield _row(
        f"{_REVISIONS}GetRevision",
        (messages.GetRevisionRequest, messages.Revision),
        revisions.get,
        "revisions.get",
        "name",
    )
    yield _row(
        f"{_REVISIONS}ListRevisions",
        (messages.ListRevisionsRequest, messages.ListRevisionsResponse),
        revisions.list,
        "revisions.list",
        "parent",
    )
    yield _row(
        f"{_REVISIONS}DeleteRevision",
        (messages.DeleteRevisionRequest, Operation),
        revisions.delete,
        "revisions.delete",
        "name",
        writes=True,
    )
