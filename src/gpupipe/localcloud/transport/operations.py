"""google.longrunning.Operations of all APIs: one gRPC service, served from the kernel.

Which API an operation belongs to shows in the type of its metadata; that decides the permission.
"""

from collections.abc import Iterable

from google.longrunning import operations_pb2
from google.longrunning.operations_pb2 import Operation
from google.protobuf import empty_pb2

from gpupipe.localcloud.errors import ServiceError, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rpc import BaseSurface, Call, Rpc

_SERVICE = "/google.longrunning.Operations"
_LONGEST_WAIT_S = 20.0

# By the package of the metadata: the permission to look at an operation. The strings of run,
# workflows and eventarc are marked UNSURE in gcp-facts §8; registries have none of their own.
_GET_PERMISSIONS = {
    "google.cloud.eventarc.": "eventarc.operations.get",
    "google.cloud.run.": "run.operations.get",
    "google.cloud.workflows.": "workflows.operations.get",
    "google.devtools.artifactregistry.": "artifactregistry.repositories.get",
    "google.devtools.cloudbuild.": "cloudbuild.builds.get",
    "google.api.serviceusage.": "serviceusage.operations.get",
}


class OperationsSurface(BaseSurface):
    """Get, List, Wait, Cancel, Delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods; who may call is decided per operation, in the handlers."""
        pb, empty = operations_pb2, empty_pb2.Empty
        yield _row("GetOperation", pb.GetOperationRequest, Operation, self._get)
        yield _row(
            "ListOperations", pb.ListOperationsRequest, pb.ListOperationsResponse, self._list
        )
        yield _row("WaitOperation", pb.WaitOperationRequest, Operation, self._wait)
        yield _row("CancelOperation", pb.CancelOperationRequest, empty, self._cancel, writes=True)
        yield _row("DeleteOperation", pb.DeleteOperationRequest, empty, self._delete, writes=True)

    def _get(self, request: operations_pb2.GetOperationRequest, call: Call) -> Operation:
        return self._visible(request.name, call)

    def _list(
        self, request: operations_pb2.ListOperationsRequest, call: Call
    ) -> operations_pb2.ListOperationsResponse:
        page = self._kernel.operations.list(
            request.name.removesuffix("/operations"),
            size=request.page_size,
            token=request.page_token,
        )
        seen = [operation for operation in page.operations if self._may_see(operation, call)]
        return operations_pb2.ListOperationsResponse(
            operations=seen, next_page_token=page.next_token
        )

    def _wait(self, request: operations_pb2.WaitOperationRequest, call: Call) -> Operation:
        self._visible(request.name, call)
        # A wait holds a thread of the listener; the API may answer before the time is up.
        wanted = request.timeout.ToNanoseconds() / 1e9 or _LONGEST_WAIT_S
        return self._kernel.operations.wait(request.name, min(wanted, _LONGEST_WAIT_S))

    def _cancel(
        self, request: operations_pb2.CancelOperationRequest, call: Call
    ) -> empty_pb2.Empty:
        self._visible(request.name, call)
        self._kernel.operations.cancel(request.name)
        return empty_pb2.Empty()

    def _delete(
        self, request: operations_pb2.DeleteOperationRequest, call: Call
    ) -> empty_pb2.Empty:
        self._visible(request.name, call)
        self._kernel.operations.delete(request.name)
        return empty_pb2.Empty()

    def _visible(self, name: str, call: Call) -> Operation:
        operation = self._kernel.operations.get(name)
        if not self._may_see(operation, call):
            raise _hidden(name)
        return operation

    def _may_see(self, operation: Operation, call: Call) -> bool:
        resource = self._kernel.operations.resource(operation.name) or operation.name
        if call.caller.is_operator:
            return True
        kind = operation.metadata.type_url.rpartition("/")[2]
        return any(
            kind.startswith(package)
            and self._kernel.authorizer.allowed(call.caller.member, permission, resource)
            for package, permission in _GET_PERMISSIONS.items()
        )


def _hidden(name: str) -> ServiceError:
    return not_found(f"Operation {name} was not found.")


def _row(
    method: str, request: type, response: type, handler: object, *, writes: bool = False
) -> Rpc:
    return Rpc(
        path=f"{_SERVICE}/{method}",
        request=request,
        response=response,
        handler=handler,  # type: ignore[arg-type] # each takes the request type of its own row
        api="",
        permission="",
        resource=lambda message: str(message.name),
        writes=writes,
    )
