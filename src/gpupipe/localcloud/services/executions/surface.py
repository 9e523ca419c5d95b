"""Executions' surface."""

from collections.abc import Iterable

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.runner import Runner
from gpupipe.localcloud.services.executions.service import Executions
from gpupipe.localcloud.services.executions.store import Store
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows(
    "google.cloud.workflows.executions.v1.Executions", "workflowexecutions.googleapis.com"
)


def _workflow(request: object) -> str:
    return str(getattr(request, "name", "")).rpartition("/executions/")[0]


class ExecutionsSurface(BaseSurface):
    """google.cloud.workflows.executions.v1.Executions."""

    def __init__(self, kernel: Kernel) -> None:
        self._store = Store(kernel.database)
        self._runner = Runner(kernel, self._store)
        self._executions = Executions(kernel, self._store, self._runner)
        kernel.workflow_runs.register(self._executions.start, self._executions.forget)

    def rpcs(self) -> Iterable[Rpc]:
        """The four methods; permissions are checked on the workflow."""
        do = self._executions
        for method, types, handler, verb, resource in (
            ("CreateExecution", (pb.CreateExecutionRequest, pb.Execution), do.create, "create",
             "parent"),
            ("GetExecution", (pb.GetExecutionRequest, pb.Execution), do.get, "get", _workflow),
            ("ListExecutions", (pb.ListExecutionsRequest, pb.ListExecutionsResponse), do.list,
             "list", "parent"),
            ("CancelExecution", (pb.CancelExecutionRequest, pb.Execution), do.cancel, "cancel",
             _workflow),
        ):  # fmt: skip
            writes = verb in {"create", "cancel"}
            permission = f"workflows.executions.{verb}"
            yield _TABLE.row(method, types, handler, permission, resource, writes=writes)

    def start(self) -> None:
        """Go on with what a stop cut off."""
        for name in self._store.unfinished():
            self._runner.begin(name)

    def stop(self) -> None:
        """Cut the executions off."""
        self._runner.stop()

    def reset(self) -> None:
        """Cut the executions off; new ones may start after."""
        self._runner.end_all()


def build(kernel: Kernel, _: Pipeline) -> ExecutionsSurface:
    """The factory for `registry.SERVICES`."""
    return ExecutionsSurface(kernel)
