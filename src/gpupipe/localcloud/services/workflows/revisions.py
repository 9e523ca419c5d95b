"""The revisions of workflows: what a change makes a new one, and the old ones.

Name, description, labels and times belong to the workflow: every revision shows those of today.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from google.cloud import workflows_v1 as pb
from google.protobuf.field_mask_pb2 import FieldMask

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.workflow_runs import Workflow
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.store.resources import Record

_KIND = "workflows.revision"
_PAGE, _MOST = 20, 100  # ListWorkflowRevisionsRequest.page_size
_ACTIVE = int(pb.Workflow.State.ACTIVE)
# Workflow.revision_id names the first two; variables belong to a revision (user_env_vars).
_REVISED = ("source_contents", "service_account", "user_env_vars")
_OWN = FieldMask(paths=[*_REVISED, "revision_id", "revision_create_time"])


class Revisions:
    """Stored below their workflow, by their numbers."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def add(self, workflow: Any) -> None:
        """Give the workflow a new revision, which is kept."""
        number = int(workflow.revision_id.partition("-")[0] or 0) + 1
        workflow.revision_id = f"{number:06d}-{uuid4().hex[:3]}"
        workflow.revision_create_time.FromDatetime(self._kernel.clock.now())
        workflow.state = _ACTIVE
        name = f"{workflow.name}@{workflow.revision_id}"
        self._kernel.resources.put(_KIND, name, workflow.name, workflow.SerializeToString())

    def follow(self, workflow: Any, old: Any) -> None:
        """Add a revision where a change of `old` takes one."""
        if any(getattr(old, name) != getattr(workflow, name) for name in _REVISED):
            self.add(workflow)

    def get(self, workflow: Any, revision_id: str) -> Any:
        """One revision of a workflow, or NOT_FOUND."""
        name = f"{workflow.name}@{revision_id}"
        record = self._kernel.resources.get(_KIND, name)
        if record is None:
            raise not_found(f"Revision '{name}' does not exist.")  # own words
        return _shown(record.body, workflow)

    def page(self, workflow: Any, size: int, token: str) -> tuple[list[Any], str]:
        """A page of revisions, newest first, and the token of the next."""
        found = [_shown(record.body, workflow) for record in self._records(workflow.name)]
        return page_of(found, _newest_first, size or _PAGE, token, most=_MOST)

    def forget(self, workflow: str) -> None:
        """Remove all of a workflow."""
        for record in self._records(workflow):
            self._kernel.resources.delete(_KIND, record.name)

    def _records(self, workflow: str) -> Sequence[Record]:
        return self._kernel.resources.all(_KIND, workflow)


def _shown(body: bytes, workflow: Any) -> Any:
    shown = Workflow()
    shown.CopyFrom(workflow)
    for path in _OWN.paths:
        shown.ClearField(path)
    _OWN.MergeMessage(Workflow.FromString(body), shown)
    return shown


def _newest_first(workflow: Any) -> str:
    """A key that sorts the highest number first."""
    return f"{999_999 - int(workflow.revision_id.partition('-')[0]):06d}"
