"""Workflows' metrics, read from the executions that are stored."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.kernel.metrics import Descriptor, NothingSampled, Sample
from gpupipe.localcloud.services.executions.store import Store

RESOURCE = "workflows.googleapis.com/Workflow"
_STARTED = "workflows.googleapis.com/started_execution_count"
_FINISHED = "workflows.googleapis.com/finished_execution_count"
DESCRIPTORS = (
    Descriptor(_STARTED, "DELTA", "INT64", "1", RESOURCE, (), "Executions that began."),
    Descriptor(_FINISHED, "DELTA", "INT64", "1", RESOURCE, ("status",), "Executions that ended."),
)


class ExecutionMetrics(NothingSampled):
    """A `Source`. What is counted goes with its workflow: so do the executions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        """The same in every project."""
        del project
        return DESCRIPTORS

    def recorded(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterator[Sample]:
        """Each execution that began, or ended, in the time."""
        for execution in self._store.of_project(project):
            time = execution.start_time if metric == _STARTED else execution.end_time
            at = time.ToDatetime(tzinfo=UTC)
            if since < at <= until:
                yield _sample(metric, execution, at)


def _sample(metric: str, execution: pb.Execution, at: datetime) -> Sample:
    _, project, _, location, _, workflow, *_ = execution.name.split("/")
    labels = {"project_id": project, "location": location, "workflow_id": workflow}
    state = pb.Execution.State(execution.state).name
    own = {"status": state} if metric == _FINISHED else {}
    return Sample(metric, RESOURCE, labels, at, 1.0, own)
