"""Workflows' surface."""

from collections.abc import Iterable

from google.cloud import workflows_v1 as pb
from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.workflows.service import Workflows
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.workflows.v1.Workflows", "workflows.googleapis.com")


class WorkflowsSurface(BaseSurface):
    """google.cloud.workflows.v1.Workflows."""

    def __init__(self, kernel: Kernel) -> None:
        self._workflows = Workflows(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods."""
        do = self._workflows
        for method, types, handler, verb, resource in (
            ("GetWorkflow", (pb.GetWorkflowRequest, pb.Workflow), do.get, "get", "name"),
            ("ListWorkflows", (pb.ListWorkflowsRequest, pb.ListWorkflowsResponse), do.list,
             "list", "parent"),
            ("CreateWorkflow", (pb.CreateWorkflowRequest, Operation), do.create, "create",
             "parent"),
            ("UpdateWorkflow", (pb.UpdateWorkflowRequest, Operation), do.update, "update",
             "workflow.name"),
            ("DeleteWorkflow", (pb.DeleteWorkflowRequest, Operation), do.delete, "delete", "name"),
        ):  # fmt: skip
            writes = verb not in {"get", "list"}
            permission = f"workflows.workflows.{verb}"
            yield _TABLE.row(method, types, handler, permission, resource, writes=writes)


def build(kernel: Kernel, _: Pipeline) -> WorkflowsSurface:
    """The factory for `registry.SERVICES`."""
    return WorkflowsSurface(kernel)
