"""Deploying and running workflows in tests, in one line each."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from google.cloud import workflows_v1
from google.cloud.workflows import executions_v1
from google.protobuf.field_mask_pb2 import FieldMask
from proto.datetime_helpers import DatetimeWithNanoseconds

from tests.support.localcloud import RunningCloud

ENDED_S = 20
_NUMBERS = count(1)
_ACTIVE = {executions_v1.Execution.State.ACTIVE, executions_v1.Execution.State.QUEUED}


def moment(value: object) -> DatetimeWithNanoseconds:
    """A time of a message: the clients give a datetime where they annotate the protobuf's class."""
    assert isinstance(value, DatetimeWithNanoseconds)
    return value


@dataclass
class WorkflowTester:
    """Clients of both APIs over a local cloud whose project can use them."""

    cloud: RunningCloud
    agent: bool = True
    region: str = "us-central1"

    def __post_init__(self) -> None:
        self.cloud.enable("workflows.googleapis.com", "workflowexecutions.googleapis.com")
        if self.agent:
            self.cloud.kernel.agents.create("workflows.googleapis.com", self.cloud.project)
        self.cloud.account_token("workflow")
        self.account = f"workflow@{self.cloud.project}.iam.gserviceaccount.com"
        self.workflows = self.cloud.client(workflows_v1.WorkflowsClient)
        self.executions = self.cloud.client(executions_v1.ExecutionsClient)

    @property
    def parent(self) -> str:
        return f"projects/{self.cloud.project}/locations/{self.region}"

    def deploy(
        self, workflow_id: str, source: str, token: str | None = None, **fields: Any
    ) -> workflows_v1.Workflow:
        """Create a workflow and wait for it."""
        client = self.cloud.client(workflows_v1.WorkflowsClient, token) if token else self.workflows
        settings = {"service_account": self.account, "source_contents": source, **fields}
        workflow = workflows_v1.Workflow(**settings)
        request = {"parent": self.parent, "workflow": workflow, "workflow_id": workflow_id}
        operation = client.create_workflow(request=request, timeout=10)
        made: workflows_v1.Workflow = operation.result(timeout=10)
        return made

    def update(self, name: str, **fields: Any) -> workflows_v1.Workflow:
        """Change exactly these fields."""
        workflow = workflows_v1.Workflow(name=name, **fields)
        request = {"workflow": workflow, "update_mask": FieldMask(paths=list(fields))}
        operation = self.workflows.update_workflow(request=request, timeout=10)
        changed: workflows_v1.Workflow = operation.result(timeout=10)
        return changed

    def start(self, workflow: str, argument: Any = None, **fields: Any) -> executions_v1.Execution:
        """Begin an execution."""
        execution = executions_v1.Execution(argument=json.dumps(argument), **fields)
        return self.executions.create_execution(parent=workflow, execution=execution, timeout=10)

    def get(self, name: str) -> executions_v1.Execution:
        return self.executions.get_execution(name=name, timeout=10)

    def ended(self, name: str) -> executions_v1.Execution:
        """The execution once it has ended."""
        return self.wait_for(name, lambda one: one.state not in _ACTIVE)

    def wait_for(
        self, name: str, what: Callable[[executions_v1.Execution], bool]
    ) -> executions_v1.Execution:
        """The execution once `what` is true of it."""
        deadline = time.monotonic() + ENDED_S
        while not what(found := self.get(name)):  # each look is a round trip
            assert time.monotonic() < deadline, found
        return found

    def once(self, source: str, argument: Any = None, **fields: Any) -> executions_v1.Execution:
        """Deploy a workflow of a name of its own, run it once to its end."""
        workflow = self.deploy(f"once-{next(_NUMBERS)}", source, **fields)
        return self.ended(self.start(workflow.name, argument).name)

    def run(self, source: str, argument: Any = None, **fields: Any) -> executions_v1.Execution:
        """Deploy a workflow "flow", run it once to its end."""
        return self.ended(self.start(self.deploy("flow", source, **fields).name, argument).name)
