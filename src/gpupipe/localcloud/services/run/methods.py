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
_TEMPLATE = (
    "revision",
    "labels",
    "annotations",
    "scaling",
    "timeout",
    "service_account",
    "containers.name",
    "containers.image",
    "containers.command",
    "containers.args",
    "containers.working_dir",
    "containers.env.name",
    "containers.env.value",
    "containers.resources",
    "containers.ports",
    "containers.startup_probe.initial_delay_seconds",
    "containers.startup_probe.timeout_seconds",
    "containers.startup_probe.period_seconds",
    "containers.startup_probe.failure_threshold",
    "containers.startup_probe.http_get",
    "containers.startup_probe.tcp_socket",
    "execution_environment",
    "max_instance_request_concurrency",
    "node_selector",
    "gpu_zonal_redundancy_disabled",
    "vpc_access",
    "encryption_key",
)
_SERVICE = (
    "service.name",
    "service.etag",
    "service.description",
    "service.labels",
    "service.annotations",
    "service.client",
    "service.client_version",
    "service.ingress",
    "service.launch_stage",
    "service.scaling.scaling_mode",
    "service.scaling.max_instance_count",
    "service.traffic.type_",
    "service.traffic.revision",
    "service.traffic.percent",
    "service.traffic.tag",
    *(f"service.template.{field}" for field in _TEMPLATE),
)
_LIST = ("parent", "page_size", "page_token")
_SERVICES = "/google.cloud.run.v2.Services/"
_REVISIONS = "/google.cloud.run.v2.Revisions/"


def _row(
    path: str,
    types: tuple[Any, Any],
    handler: Callable[[Any, Any], Any],
    permission: str,
    resource: str,
    fields: tuple[str, ...],
    *,
    writes: bool = False,
) -> Rpc:
    def of(request: Any) -> str:
        for part in resource.split("."):
            request = getattr(request, part)
        return str(request)

    asked = permission and f"run.{permission}"
    return Rpc(path, *types, handler, API, asked, of, writes, fields)


def service_rows(services: Services) -> Iterator[Rpc]:
    """google.cloud.run.v2.Services."""
    for verb, request, answer, handler, resource, fields in (
        ("Get", messages.GetServiceRequest, messages.Service, services.get, "name", ("name",)),
        (
            "Create",
            messages.CreateServiceRequest,
            Operation,
            services.create,
            "parent",
            ("parent", "service_id", "validate_only", *_SERVICE),
        ),
        (
            "Update",
            messages.UpdateServiceRequest,
            Operation,
            services.update,
            "service.name",
            ("update_mask", "validate_only", "allow_missing", *_SERVICE),
        ),
        (
            "Delete",
            messages.DeleteServiceRequest,
            Operation,
            services.delete,
            "name",
            ("name", "validate_only", "etag"),
        ),
    ):
        yield _row(
            f"{_SERVICES}{verb}Service",
            (request, answer),
            handler,
            f"services.{verb.lower()}",
            resource,
            fields,
            writes=verb != "Get",
        )
    yield _row(
        f"{_SERVICES}ListServices",
        (messages.ListServicesRequest, messages.ListServicesResponse),
        services.list,
        "services.list",
        "parent",
        (*_LIST, "show_deleted"),
    )


def revision_rows(revisions: Revisions) -> Iterator[Rpc]:
    """google.cloud.run.v2.Revisions."""
    yield _row(
        f"{_REVISIONS}GetRevision",
        (messages.GetRevisionRequest, messages.Revision),
        revisions.get,
        "revisions.get",
        "name",
        ("name",),
    )
    yield _row(
        f"{_REVISIONS}ListRevisions",
        (messages.ListRevisionsRequest, messages.ListRevisionsResponse),
        revisions.list,
        "revisions.list",
        "parent",
        _LIST,
    )
    yield _row(
        f"{_REVISIONS}DeleteRevision",
        (messages.DeleteRevisionRequest, Operation),
        revisions.delete,
        "revisions.delete",
        "name",
        ("name", "validate_only", "etag"),
        writes=True,
    )
