"""google.cloud.workflows.v1.Workflows: the handlers. Sources are checked when they are deployed."""

import re
from typing import Any
from uuid import uuid4

from google.cloud import workflows_v1 as pb
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gpupipe.localcloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
    unimplemented,
)
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.workflow_runs import KIND, Workflow
from gpupipe.localcloud.services.workflows.regions import REGIONS
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.workflows.errors import SourceError
from gpupipe.workflows.program import load

_ID = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_MOST_VARIABLES = 20
_VARIABLE_BYTES = 4096
_MOST_LABELS = 64
_ACTIVE = int(pb.Workflow.State.ACTIVE)
# What a change of makes a new revision.
_REVISED = ("source_contents", "service_account", "user_env_vars")
_CHANGEABLE = (
    *_REVISED,
    "labels",
    "description",
    "call_log_level",
    "execution_history_level",
)
_NOT_EMULATED = ("crypto_key_name", "tags")
_DESCRIPTION_CHARACTERS = 1000


class Workflows:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, request: Any, _: Call) -> Message:
        """GetWorkflow; only the newest revision is kept."""
        if request.revision_id:
            raise unimplemented("older revisions of workflows")
        found: Message = self._existing(request.name)
        return found

    def list(self, request: Any, _: Call) -> Message:
        """ListWorkflows."""
        if request.filter or request.order_by:
            raise unimplemented("filters and orders in lists of workflows")
        parent = locations.location(self._kernel.projects, request.parent)
        page = self._kernel.resources.page(
            KIND, parent, size=request.page_size, token=request.page_token
        )
        found = [Workflow.FromString(record.body) for record in page.records]
        answer: Message = raw(pb.ListWorkflowsResponse)(
            workflows=found, next_page_token=page.next_token
        )
        return answer

    def create(self, request: Any, call: Call) -> Operation:
        """CreateWorkflow."""
        parent = locations.location(self._kernel.projects, request.parent)
        if parent.rpartition("/")[2] not in REGIONS:
            raise not_found(f"Location '{parent}' does not exist.")  # own words
        if not _ID.fullmatch(request.workflow_id):
            raise invalid_argument(
                f"Invalid workflow id {request.workflow_id!r}: letters, digits, '-' and '_', "
                "beginning with a letter, at most 64.",
                "workflow_id",
            )
        self._check_agent(parent.split("/")[1])
        _refuse_not_emulated(request.workflow)
        workflow = Workflow()
        FieldMask(paths=list(_CHANGEABLE)).MergeMessage(request.workflow, workflow)
        workflow.name = f"{parent}/workflows/{request.workflow_id}"
        self._check(workflow, call.caller)
        workflow.create_time.FromDatetime(self._kernel.clock.now())
        with self._kernel.database.transaction():
            if self._kernel.resources.get(KIND, workflow.name) is not None:
                raise already_exists(f"Workflow {workflow.name!r} already exists.")  # own words
            self._revise(workflow)
            self._put(workflow)
            return self._operation(workflow, "create")

    def update(self, request: Any, call: Call) -> Operation:
        """UpdateWorkflow: the fields of the mask, else every one that can be changed."""
        paths = list(request.update_mask.paths) or list(_CHANGEABLE)
        for path in paths:
            if path not in _CHANGEABLE:
                raise invalid_argument(f"The field {path!r} cannot be changed.", "update_mask")
        with self._kernel.database.transaction():
            old = self._existing(request.workflow.name)
            workflow = Workflow()
            workflow.CopyFrom(old)
            for path in paths:
                workflow.ClearField(path)
                FieldMask(paths=[path]).MergeMessage(request.workflow, workflow)
            self._check(workflow, call.caller)
            if any(_field(old, name) != _field(workflow, name) for name in _REVISED):
                self._revise(workflow)
            self._put(workflow)
            return self._operation(workflow, "update")

    def delete(self, request: Any, _: Call) -> Operation:
        """DeleteWorkflow, with its executions, those that run included."""
        with self._kernel.database.transaction():
            workflow = self._existing(request.name)
            self._kernel.resources.delete(KIND, workflow.name)
            self._kernel.workflow_runs.forget(workflow.name)
            return self._operation(workflow, "delete")

    def _existing(self, name: str) -> Any:
        own = locations.below(self._kernel.projects, name, "workflows")
        return self._kernel.workflow_runs.existing(own)

    def _check_agent(self, project: str) -> None:
        agents = self._kernel.agents
        if not agents.exists(agents.agent_email("workflows.googleapis.com", project)):
            raise failed_precondition("Workflows service agent does not exist")  # gcp-facts §4

    def _check(self, workflow: Any, caller: Caller) -> None:
        named = workflow.service_account or self._default_account(workflow.name)
        if self._kernel.identity.account(named.rpartition("/")[2]) is None:
            # gcp-facts §4
            raise invalid_argument(
                f'the referenced service account "{named}" is invalid, please verify the '
                "correctness of the service account name",
                "workflow.service_account",
            )
        account = account_to_act_as(self._kernel.identity, self._kernel.authorizer, caller, named)
        workflow.service_account = account.name
        if len(workflow.description) > _DESCRIPTION_CHARACTERS:
            raise invalid_argument("The description is too long.", "workflow.description")
        _check_variables(dict(workflow.user_env_vars))
        _check_labels(dict(workflow.labels))
        try:
            load(workflow.source_contents)
        except SourceError as error:
            # The words before the faults are not documented.
            raise invalid_argument(
                f"failed to build: {error}", "workflow.source_contents"
            ) from error

    def _default_account(self, name: str) -> str:
        project = self._kernel.projects.ensure(name.split("/")[1])
        return f"{project.number}-compute@developer.gserviceaccount.com"

    def _revise(self, workflow: Any) -> None:
        number = int(workflow.revision_id.partition("-")[0] or 0) + 1
        workflow.revision_id = f"{number:06d}-{uuid4().hex[:3]}"
        workflow.revision_create_time.FromDatetime(self._kernel.clock.now())
        workflow.state = _ACTIVE

    def _put(self, workflow: Any) -> None:
        workflow.update_time.FromDatetime(self._kernel.clock.now())
        parent = workflow.name.rpartition("/workflows/")[0]
        self._kernel.resources.put(KIND, workflow.name, parent, workflow.SerializeToString())

    def _operation(self, workflow: Any, verb: str) -> Operation:
        parent = workflow.name.rpartition("/workflows/")[0]
        metadata = raw(pb.OperationMetadata)(target=workflow.name, verb=verb, api_version="v1")
        for moment in (metadata.create_time, metadata.end_time):
            moment.FromDatetime(self._kernel.clock.now())
        # Done with the change, in its transaction: a restart finds both or none.
        return self._kernel.operations.done(
            f"{parent}/operations/operation-{uuid4()}",
            metadata=metadata,
            response=Empty() if verb == "delete" else workflow,
            resource=workflow.name,
        )


def _refuse_not_emulated(workflow: Any) -> None:
    for name in _NOT_EMULATED:
        if getattr(workflow, name):
            raise unimplemented(f"{name} of workflows")


def _field(workflow: Any, name: str) -> Any:
    value = getattr(workflow, name)
    return dict(value) if name == "user_env_vars" else value


def _check_variables(variables: dict[str, str]) -> None:
    if len(variables) > _MOST_VARIABLES:
        raise invalid_argument(f"At most {_MOST_VARIABLES} variables.", "workflow.user_env_vars")
    for name, value in variables.items():
        # Keys must not begin so (Workflow.user_env_vars).
        if not _VARIABLE.fullmatch(name) or name.startswith(("GOOGLE", "WORKFLOWS")):
            raise invalid_argument(f"Invalid variable {name!r}.", "workflow.user_env_vars")
        if len(value.encode()) > _VARIABLE_BYTES:
            raise invalid_argument(
                f"The value of {name!r} is larger than 4 KiB.", "workflow.user_env_vars"
            )


def _check_labels(labels: dict[str, str]) -> None:
    wrong = [
        key
        for key, value in labels.items()
        if not _LABEL_KEY.fullmatch(key) or not _LABEL.fullmatch(value)
    ]
    if wrong or len(labels) > _MOST_LABELS:
        what = (
            f"Invalid labels: {', '.join(wrong)}." if wrong else f"At most {_MOST_LABELS} labels."
        )
        raise invalid_argument(what, "workflow.labels")
