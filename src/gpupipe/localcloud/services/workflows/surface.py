"""Workflows' surface."""

from collections.abc import Iterable

from google.cloud import workflows_v1 as pb

from gpupipe.localcloud.kernel import act_as
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.workflows.service import (
    FIELDS,
    REVISION_FIELDS,
    Workflows,
    workflows_of,
)
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.workflows.v1.Workflows", "workflows.googleapis.com")


class WorkflowsSurface(BaseSurface):
    """google.cloud.workflows.v1.Workflows."""

    def __init__(self, kernel: Kernel) -> None:
        self._workflows = Workflows(kernel)
        self._collection = workflows_of(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods, and the list of revisions."""
        permission = "workflows.workflows"
        yield from self._collection.rows(_TABLE, self._workflows, permission, FIELDS)
        yield _TABLE.row(
            "ListWorkflowRevisions",
            (pb.ListWorkflowRevisionsRequest, pb.ListWorkflowRevisionsResponse),
            self._workflows.list_revisions,
            f"{permission}.listRevision",
            "name",
            fields=REVISION_FIELDS,
        )

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also acting as the workflow's account."""
        yield from super().permissions()
        yield "workflows.workflows.create", act_as.PERMISSION
        yield "workflows.workflows.update", act_as.PERMISSION


def build(kernel: Kernel, _: Pipeline) -> WorkflowsSurface:
    """The factory for `registry.SERVICES`."""
    return WorkflowsSurface(kernel)
