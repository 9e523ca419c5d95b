"""google.cloud.workflows.executions.v1.Executions: the handlers."""

import json
from typing import Any
from uuid import uuid4

from google.cloud.workflows import executions_v1 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gpupipe.localcloud.errors import failed_precondition, invalid_argument
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.services.executions import listing
from gpupipe.localcloud.services.executions.history import Histories
from gpupipe.localcloud.services.executions.outcome import ACTIVE, QUEUED, at_steps, cancelled
from gpupipe.localcloud.services.executions.runner import Runner
from gpupipe.localcloud.services.executions.store import Execution, Store
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

# Execution.argument; UNSURE: pages on quotas say 512 KB, which is what events get.
_ARGUMENT_BYTES = 32 * 1024
_BASIC = FieldMask(
    paths=["name", "start_time", "end_time", "duration", "state", "workflow_revision_id"]
)


class Executions:
    """Create, get, list, cancel; and the start of runs for events."""

    def __init__(self, kernel: Kernel, store: Store, runner: Runner, histories: Histories) -> None:
        self._kernel = kernel
        self._store = store
        self._runner = runner
        self._histories = histories

    def create(self, request: Any, _: Call) -> Message:
        """CreateExecution."""
        argument = request.execution.argument
        if len(argument.encode()) > _ARGUMENT_BYTES:
            raise invalid_argument("The argument is larger than 32 KB.", "execution.argument")
        if argument and not _is_json(argument):
            raise invalid_argument("The argument is not valid JSON.", "execution.argument")
        labels = dict(request.execution.labels)
        check_labels(labels, "execution.labels")
        workflow = locations.below(self._kernel.projects, request.parent, "workflows")
        return self._new(workflow, argument, labels, request.execution.call_log_level)

    def start(self, workflow: str, argument: str) -> None:
        """A run for an event."""
        self._new(workflow, argument, {})

    def get(self, request: Any, _: Call) -> Message:
        """GetExecution, whole unless BASIC is asked for."""
        execution = self._store.get(self._own(request.name))
        full = request.view in {0, listing.FULL}
        shown: Message = self._full(execution) if full else _basic(execution)
        return shown

    def list(self, request: Any, _: Call) -> Message:
        """ListExecutions: newest first, basic unless FULL is asked for."""
        workflow = locations.below(self._kernel.projects, request.parent, "workflows")
        self._kernel.workflow_runs.existing(workflow)
        found, more = listing.page(self._store, workflow, request, self._full)
        full = request.view == listing.FULL
        shown = found if full else [_basic(one) for one in found]
        answer: Message = raw(pb.ListExecutionsResponse)(executions=shown, next_page_token=more)
        return answer

    def cancel(self, request: Any, _: Call) -> Message:
        """CancelExecution; one that has ended is FAILED_PRECONDITION."""
        name = self._own(request.name)
        now, steps = self._kernel.clock.now(), self._histories.current(name)

        def change(execution: Any) -> None:
            cancelled(execution, now)
            at_steps(execution, steps)

        if not self._store.change_unfinished(name, change):
            state = self._store.get(name).state
            raise failed_precondition(f"The execution has ended: {pb.Execution.State(state).name}.")
        self._runner.end([name])
        found: Message = self._store.get(name)
        return found

    def forget(self, workflow: str) -> None:
        """End and remove every run of a workflow that is deleted."""
        running = self._store.unfinished(workflow)
        self._store.delete(workflow)

        def after() -> None:
            self._runner.end(running)
            self._runner.later(lambda: self._histories.forget_all(workflow))

        self._kernel.database.after_commit(after)

    def _new(self, name: str, argument: str, labels: dict[str, str], level: int = 0) -> Message:
        with self._kernel.database.transaction():
            workflow: Any = self._kernel.workflow_runs.existing(name)
            execution = Execution(
                name=f"{name}/executions/{uuid4()}",
                state=QUEUED if self._runner.full else ACTIVE,
                argument=argument or "null",  # what is read where none was given
                workflow_revision_id=workflow.revision_id,
                labels={**workflow.labels, **labels},
                call_log_level=level or workflow.call_log_level,
            )
            now = self._kernel.clock.now()
            execution.start_time.FromDatetime(now)
            self._store.insert(execution, workflow)
            self._kernel.database.after_commit(lambda: self._runner.begin(execution.name))
        new: Message = execution
        return new

    def _own(self, name: str) -> str:
        workflow, _, execution = name.rpartition("/executions/")
        return f"{locations.below(self._kernel.projects, workflow, 'workflows')}/executions/{execution}"

    def _full(self, execution: Any) -> Any:
        if execution.state == ACTIVE:
            at_steps(execution, self._histories.current(execution.name))
        return execution


def _is_json(text: str) -> bool:
    """Whether it is, to the letter: without NaN, half surrogate pairs or absurd depth."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _basic(execution: Any) -> Any:
    shown = Execution()
    _BASIC.MergeMessage(execution, shown)
    return shown
