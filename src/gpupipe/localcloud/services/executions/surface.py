"""Executions' surface."""

from collections.abc import Iterable

from google.cloud.workflows import executions_v1 as pb
from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.callbacks import Callbacks
from gpupipe.localcloud.services.executions.extra_routes import PERMISSIONS, ExtraRoutes
from gpupipe.localcloud.services.executions.history import Histories
from gpupipe.localcloud.services.executions.metrics import ExecutionMetrics
from gpupipe.localcloud.services.executions.runner import MOST_AT_ONCE, Runner
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

    def __init__(self, kernel: Kernel, pipeline: Pipeline, *, at_once: int = MOST_AT_ONCE) -> None:
        self._store = Store(kernel.database)
        callbacks = Callbacks(kernel)
        self._histories = histories = Histories(kernel.log_database, kernel.clock)
        self._extra = ExtraRoutes(kernel, pipeline, self._store, callbacks, histories)
        self._runner = Runner(kernel, self._store, callbacks, histories, at_once=at_once)
        self._executions = Executions(kernel, self._store, self._runner, histories)
        kernel.metrics.register(ExecutionMetrics(self._store))
        kernel.workflow_runs.register(self._executions.start, self._executions.forget)

    def rpcs(self) -> Iterable[Rpc]:
        """The four methods; permissions are checked on the workflow."""
        do = self._executions
        for method, types, handler, resource, fields in (
            ("CreateExecution", (pb.CreateExecutionRequest, pb.Execution), do.create, "parent",
             ("parent", "execution.argument", "execution.labels", "execution.call_log_level")),
            ("GetExecution", (pb.GetExecutionRequest, pb.Execution), do.get, _workflow,
             ("name", "view")),
            ("ListExecutions", (pb.ListExecutionsRequest, pb.ListExecutionsResponse), do.list,
             "parent", ("parent", "page_size", "page_token", "view", "filter", "order_by")),
            ("CancelExecution", (pb.CancelExecutionRequest, pb.Execution), do.cancel, _workflow,
             ("name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _TABLE.row(
                method,
                types,
                handler,
                f"workflows.executions.{verb}",
                resource,
                writes=verb in {"create", "cancel"},
                fields=fields,
            )

    def routes(self) -> Iterable[BaseRoute]:
        """Those that are there over REST alone."""
        return self._extra.routes()

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows and of the other routes."""
        yield from super().fault_points()
        yield from self._extra.fault_points()

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also those of the other routes."""
        yield from super().permissions()
        yield from PERMISSIONS.items()

    def start(self) -> None:
        """Go on with what a stop cut off."""
        for name in self._store.unfinished():
            self._histories.forget(name)
            self._runner.begin(name)

    def stop(self) -> None:
        """Cut the executions off."""
        self._runner.stop()

    def reset(self) -> None:
        """Cut the executions off; new ones may start after."""
        self._runner.end_all()


def build(kernel: Kernel, pipeline: Pipeline) -> ExecutionsSurface:
    """The factory for `registry.SERVICES`."""
    return ExecutionsSurface(kernel, pipeline)
