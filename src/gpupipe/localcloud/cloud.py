"""One local cloud in this process: kernel, services and both listeners, started and stopped.

The daemon runs one; tests run as many as they like, each over a folder of its own.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from gpupipe.core.clock import Clock
from gpupipe.localcloud.control import Control
from gpupipe.localcloud.gcloud import write_configuration
from gpupipe.localcloud.kernel import behaviour
from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.registry import SERVICES, Factory
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.transport.certificate import server_context
from gpupipe.localcloud.transport.grpc import GrpcListener
from gpupipe.localcloud.transport.http import HttpListener
from gpupipe.localcloud.transport.oauth import OAuth
from gpupipe.localcloud.transport.operations import OperationsSurface
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.request_log import RequestLog
from gpupipe.localcloud.transport.rest import RestRoute
from gpupipe.localcloud.transport.rpc import Rpc, Surface


@dataclass(frozen=True, slots=True)
class Ports:
    """Wished ports; 0, and one that somebody else has, are any free one."""

    http: int
    grpc: int


ANY_PORTS = Ports(0, 0)


class LocalCloud:
    """start() once, then stop() once. `on_stop` is called when a client asks for the end."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        services: Iterable[Factory] = SERVICES,
        on_stop: Callable[[], None] = lambda: None,
        ports: Ports = ANY_PORTS,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._factories = tuple(services)
        self._on_stop = on_stop
        self._ports = ports
        self._ended = ExitStack()
        self._surfaces: tuple[Surface, ...] = ()
        self._kernel: Kernel | None = None
        self._pipeline: Pipeline | None = None
        self._http_address = ""
        self._grpc_address = ""

    def start(self) -> None:
        """Bind both ports, build and start the services; all is undone when something fails."""
        with ExitStack() as stack:
            self._start(stack)
            self._ended = stack.pop_all()

    def stop(self) -> None:
        """End background work and child processes, close both ports and the database."""
        self._ended.close()

    @property
    def kernel(self) -> Kernel:
        """The shared parts, for tests that look behind the wire."""
        if self._kernel is None:
            raise RuntimeError("the local cloud has not started")
        return self._kernel

    @property
    def pipeline(self) -> Pipeline:
        """The guard with its request log and faults."""
        if self._pipeline is None:
            raise RuntimeError("the local cloud has not started")
        return self._pipeline

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """The emulated APIs, for the reference page of permissions and for tests."""
        return self._surfaces

    @property
    def http(self) -> str:
        """The HTTP address, "http://127.0.0.1:PORT"."""
        return self._http_address

    @property
    def grpc(self) -> str:
        """The gRPC target, "127.0.0.1:PORT"."""
        return self._grpc_address

    @property
    def project(self) -> Project:
        """The project that it starts with."""
        return self.kernel.projects.ensure(self._settings.project)

    def rpcs(self) -> tuple[Rpc, ...]:
        """The gRPC methods of all services."""
        return tuple(row for one in self._surfaces for row in one.rpcs())

    def reset(self) -> None:
        """Forget all projects with all they hold; the request log stays, and what `control` sets."""
        kernel = self.kernel
        for surface in self._surfaces:
            surface.reset()
        kernel.database.clear(keep=frozenset({behaviour.TABLE}))
        kernel.log_database.clear(keep=frozenset({"requests"}))
        for folder in (self._settings.objects, self._settings.instances):
            _empty(folder)
        kernel.images.sweep()
        kernel.projects.ensure(self._settings.project)

    def _start(self, stack: ExitStack) -> None:
        kernel = self._kernel = build_kernel(self._settings, self._clock)
        stack.callback(kernel.log_database.close)
        stack.callback(kernel.database.close)
        stack.callback(kernel.timers.stop)
        http = HttpListener(self._ports.http)
        stack.callback(http.stop)
        self._http_address = kernel.http = kernel.identity.issuer = http.address
        kernel.loop = http.loop
        pipeline = self._pipeline = Pipeline(kernel, RequestLog(kernel.log_database))
        kernel.projects.ensure(self._settings.project)
        write_configuration(self._settings, http.address)
        self._surfaces = self._build(kernel, pipeline)
        kernel.faults.know(point for one in self._surfaces for point in one.fault_points())
        http.start(
            self._routes(pipeline),
            kernel.identity.authenticate,
            pipeline.no_route,
            server_context(self._settings.certificate),
        )
        stack.callback(kernel.logs.stop)
        for surface in self._surfaces:
            stack.callback(surface.stop)
            surface.start()
        # Stopping goes the other way: no new calls first, then the work that runs, then the rest.
        stack.callback(kernel.operations.stop)
        kernel.operations.recover()
        grpc = GrpcListener(self.rpcs(), pipeline, self._ports.grpc)
        stack.callback(grpc.stop)
        self._grpc_address = f"127.0.0.1:{grpc.port}"
        grpc.start()
        # Last in, first out: calls that are held up would keep the listeners from ending.
        stack.callback(pipeline.faults.close)

    def _routes(self, pipeline: Pipeline) -> Iterator[BaseRoute]:
        translations = (item for one in self._surfaces for item in one.translations())
        yield RestRoute(pipeline, self.rpcs(), translations)
        for surface in self._surfaces:
            yield from surface.routes()

    def _build(self, kernel: Kernel, pipeline: Pipeline) -> tuple[Surface, ...]:
        oauth = OAuth(kernel)
        oauth.write_credentials()
        services = tuple(factory(kernel, pipeline) for factory in self._factories)
        control = Control(kernel, pipeline, on_stop=self._on_stop, on_reset=self.reset)
        return (control, oauth, OperationsSurface(kernel), *services)


def _empty(folder: Path) -> None:
    """Remove what is in a folder; the folder stays, since services made it when they were built."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
