"""google.cloud.workflows.v1.Workflows: the handlers. Sources are checked when they are deployed."""

from typing import Any

from google.cloud import workflows_v1 as pb
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from gpupipe.localcloud.errors import already_exists
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.workflow_runs import KIND, Workflow
from gpupipe.localcloud.services.workflows import listing, rules
from gpupipe.localcloud.services.workflows.revisions import Revisions
from gpupipe.localcloud.transport.collection import Collection
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_SET = tuple(
    f"workflow.{path}"
    for path in ("name", "description", "labels", "service_account", "source_contents",
                 "user_env_vars", "call_log_level", "crypto_key_name")
)  # fmt: skip
FIELDS = {
    "get": ("name", "revision_id"),
    "list": ("parent", "page_size", "page_token", "filter", "order_by"),
    "create": ("parent", "workflow_id", *_SET),
    "update": ("update_mask", *_SET),
    "delete": ("name",),
}
REVISION_FIELDS = ("name", "page_size", "page_token")


def workflows_of(kernel: Kernel) -> Collection:
    """The stored workflows."""
    return Collection(kernel, pb, "Workflow", KIND)


class Workflows:
    """Create, get, list, update, delete; and their revisions."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._workflows = workflows_of(kernel)
        self._revisions = Revisions(kernel)

    def get(self, request: Any, _: Call) -> Message:
        """GetWorkflow, the newest revision or the one that is asked for."""
        workflow: Message = self._workflows.existing(request.name)
        if not request.revision_id:
            return workflow
        revision: Message = self._revisions.get(workflow, request.revision_id)
        return revision

    def list(self, request: Any, _: Call) -> Message:
        """ListWorkflows: by name where no order is asked for."""
        if not (request.filter or request.order_by):
            return self._workflows.page(request)
        found, more = listing.page(self._workflows.all(request.parent), request)
        answer: Message = raw(pb.ListWorkflowsResponse)(workflows=found, next_page_token=more)
        return answer

    def list_revisions(self, request: Any, _: Call) -> Message:
        """ListWorkflowRevisions: newest first."""
        workflow = self._workflows.existing(request.name)
        found, more = self._revisions.page(workflow, request.page_size, request.page_token)
        answer: Message = raw(pb.ListWorkflowRevisionsResponse)(
            workflows=found, next_page_token=more
        )
        return answer

    def create(self, request: Any, call: Call) -> Operation:
        """CreateWorkflow."""
        workflow = Workflow()
        workflow.CopyFrom(request.workflow)
        workflow.name = self._workflows.name(request.parent, request.workflow_id)
        rules.check_place(self._kernel, workflow.name, request.workflow_id)
        rules.check(self._kernel, workflow, call.caller)
        workflow.create_time.FromDatetime(self._kernel.clock.now())
        with self._kernel.database.transaction():
            if self._workflows.find(workflow.name) is not None:
                raise already_exists(f"Workflow {workflow.name!r} already exists.")  # own words
            self._revisions.add(workflow)
            self._touch(workflow)
            self._workflows.put(workflow)
            return self._workflows.operation(workflow.name, "create", workflow)

    def update(self, request: Any, call: Call) -> Operation:
        """UpdateWorkflow: the fields of the mask, else the entire workflow."""
        with self._kernel.database.transaction():
            old = self._workflows.existing(request.workflow.name)
            workflow = merged(
                old,
                request.workflow,
                request.update_mask,
                path="workflow",
                without_mask=WithoutMask.WHOLE,
                keep=("name",),
            )
            rules.check(self._kernel, workflow, call.caller)
            self._revisions.follow(workflow, old)
            self._touch(workflow)
            self._workflows.put(workflow)
            return self._workflows.operation(workflow.name, "update", workflow)

    def delete(self, request: Any, _: Call) -> Operation:
        """DeleteWorkflow, with its revisions and executions, those that run included."""
        with self._kernel.database.transaction():
            workflow = self._workflows.existing(request.name)
            self._workflows.delete(workflow)
            self._revisions.forget(workflow.name)
            self._kernel.workflow_runs.forget(workflow.name)
            return self._workflows.operation(workflow.name, "delete", Empty())

    def _touch(self, workflow: Any) -> None:
        workflow.update_time.FromDatetime(self._kernel.clock.now())
