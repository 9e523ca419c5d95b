"""What Workflows, Executions and Eventarc need of each other: stored workflows and their runs."""

from collections.abc import Callable
from typing import Any

from google.cloud import workflows_v1

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.store.resources import Resources

KIND = "workflows.workflow"
Workflow: Any = type(workflows_v1.Workflow.pb(workflows_v1.Workflow()))


def _nobody(_: str, __: str) -> None:
    raise RuntimeError("no API runs workflows")


class WorkflowRuns:
    """Stored workflows, and the two things that Executions does for the others."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._start: Callable[[str, str], None] = _nobody
        self._forget: Callable[[str], None] = lambda _: None

    def register(self, start: Callable[[str, str], None], forget: Callable[[str], None]) -> None:
        """By Executions: start a run (workflow, argument as JSON); forget all of a workflow."""
        self._start, self._forget = start, forget

    def existing(self, name: str) -> Any:
        """The stored workflow, or NOT_FOUND."""
        record = self._resources.get(KIND, name)
        if record is None:
            raise not_found(f"Workflow '{name}' does not exist.")  # own words
        return Workflow.FromString(record.body)

    def start(self, workflow: str, argument: str) -> None:
        """Start a run; NOT_FOUND without the workflow."""
        self._start(workflow, argument)

    def forget(self, workflow: str) -> None:
        """End and remove every run of a workflow."""
        self._forget(workflow)
