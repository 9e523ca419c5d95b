"""Cloud Run's surface: wires the API, the front door, the metadata server and the instances."""

import asyncio
from collections.abc import Iterable

from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel import act_as
from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.runner.supervisor import Supervisor
from gpupipe.localcloud.services.run import invoker, methods
from gpupipe.localcloud.services.run.deployment import Deployments
from gpupipe.localcloud.services.run.fleet import Fleet
from gpupipe.localcloud.services.run.front_door import INVOKE, FrontDoor
from gpupipe.localcloud.services.run.instance_logs import InstanceLogs
from gpupipe.localcloud.services.run.knative.methods import Knative
from gpupipe.localcloud.services.run.metadata import Metadata
from gpupipe.localcloud.services.run.metrics import RunMetrics
from gpupipe.localcloud.services.run.names import API
from gpupipe.localcloud.services.run.revision_methods import Revisions
from gpupipe.localcloud.services.run.services import Services
from gpupipe.localcloud.services.run.store import Store
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc
from gpupipe.localcloud.transport.translation import Translation

_METADATA_TYPE = "google.cloud.run.v2.Service"
_CLOSE_S = 5


class Run(BaseSurface):
    """The Admin API and everything that makes services answer."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._store = Store(kernel.resources)
        self.supervisor = self._new_supervisor()
        self._fleet = Fleet(kernel, self._store, self.supervisor)
        self._deployments = Deployments(kernel, self._store, self._fleet)
        self._services = Services(kernel, self._store, self._deployments)
        self._front_door = FrontDoor(kernel, self._store, self._fleet)
        kernel.clock.on_move(self.supervisor.tick)
        kernel.metrics.register(RunMetrics(kernel, self.supervisor))
        self._metadata = Metadata(kernel, self.supervisor.identity)
        kernel.operations.register_resumer(_METADATA_TYPE, self._deployments.resume)

    def rpcs(self) -> Iterable[Rpc]:
        """Services and Revisions of google.cloud.run.v2."""
        yield from methods.service_rows(self._services)
        policies = PolicyMethods(self._kernel, "run.services", self._services.policy_name)
        yield from policies.rows(Rows("google.cloud.run.v2.Services", API))
        yield from methods.revision_rows(
            Revisions(self._kernel, self._store, self._services, self._fleet)
        )

    def translations(self) -> Iterable[Translation]:
        """Those of version 1, which gcloud calls."""
        return Knative(self._kernel, self._services).translations()

    def routes(self) -> Iterable[BaseRoute]:
        """The front door and the metadata server."""
        yield from self._front_door.routes()
        yield from self._metadata.routes()

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows, and the front door."""
        yield from super().fault_points()
        yield INVOKE

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also acting as the service's account, and calling a service."""
        yield from super().permissions()
        yield "run.services.create", act_as.PERMISSION
        yield "run.services.update", act_as.PERMISSION
        yield "run.services.invoke", invoker.PERMISSION

    def start(self) -> None:
        """Scale with time and start minimums; interrupted deployments go on as operations."""
        self.supervisor.start()
        self._fleet.warm_up()

    def stop(self) -> None:
        """End every instance."""
        self.supervisor.stop()
        loop = self._kernel.loop()
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(self._front_door.close(), loop).result(_CLOSE_S)

    def reset(self) -> None:
        """End every instance; new ones may start after."""
        self.supervisor.drop_all()

    def _new_supervisor(self) -> Supervisor:
        return Supervisor(
            self._kernel.settings.instances,
            lambda: self._kernel.http,
            self._kernel.clock,
            InstanceLogs(self._kernel),
            lambda project, region, quota: self._kernel.quotas.limit(project, API, quota, region),
        )


def build(kernel: Kernel, _: Pipeline) -> Run:
    """The factory for `registry.SERVICES`."""
    return Run(kernel)
