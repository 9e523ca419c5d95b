"""The row that describes one API method, for both listeners.

A service offers `Rpc` rows; the transport authenticates the caller, checks that the API is enabled
on the project and that the caller holds `permission` on `resource(request)`, and only then calls
the handler. Handlers take raw protobuf messages (`Type.pb(...)` classes, not proto-plus).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message
from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.faults import CALL, OF_OPERATION, FaultPoint
from gpupipe.localcloud.transport.fields import ALL
from gpupipe.localcloud.transport.method_names import method_name
from gpupipe.localcloud.transport.translation import Translation


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls which method; handed to every handler."""

    caller: Caller
    method: str


@dataclass(frozen=True, slots=True)
class Rpc:
    """One unary method.

    path: full gRPC path, "/google.cloud.run.v2.Services/GetService".
    api: the service that must be enabled, "run.googleapis.com"; "" for one that needs none.
    permission: the IAM permission, "run.services.get"; "" where any signed-in caller may call.
    resource: the IAM resource name that the permission is checked on, from the request:
        "projects/P", "projects/P/locations/R/services/S", "projects/_/buckets/B",
        "projects/P/serviceAccounts/EMAIL"... The project is always checked too, as its parent.
    writes: True when the method changes something (the request log counts these).
    fields: dotted paths of the request that the handler acts on, each with all below it; a request
        that sets another is refused by the field's name.
    """

    path: str
    request: type[Message]
    response: type[Message]
    handler: Callable[[Any, Call], Message]
    api: str
    permission: str
    resource: Callable[[Any], str]
    writes: bool
    fields: tuple[str, ...] = ALL

    @property
    def name(self) -> str:
        """The short name, "run.services.get"."""
        return method_name(self.path)

    @property
    def fault_point(self) -> FaultPoint:
        """What can go wrong: a method that changes something may do so in an operation."""
        starts_operation = self.writes and self.response is Operation
        return FaultPoint(self.name, CALL | OF_OPERATION if starts_operation else CALL)


class Surface(Protocol):
    """What `registry.SERVICES` builds for each API; derive from `BaseSurface` for the defaults."""

    def rpcs(self) -> Iterable[Rpc]:
        """The gRPC methods of this API."""

    def translations(self) -> Iterable[Translation]:
        """Methods of other versions of this API over REST, as the gRPC methods that they are."""

    def routes(self) -> Iterable[BaseRoute]:
        """The other HTTP routes of this API; each authenticates with `Pipeline.guard`."""

    def fault_points(self) -> Iterable[FaultPoint]:
        """The methods, by their names in the request log, that faults can be put on."""

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Each method with a permission that it asks for; several rows where it asks for more."""

    def start(self) -> None:
        """Start background work; both listeners have their ports, `kernel.loop` may be used."""

    def stop(self) -> None:
        """End all background work and child processes, before this returns."""

    def reset(self) -> None:
        """Forget everything in memory and end what runs; all rows are removed right after."""


class BaseSurface:
    """A surface without routes and background work."""

    def rpcs(self) -> Iterable[Rpc]:
        """None."""
        return ()

    def translations(self) -> Iterable[Translation]:
        """None."""
        return ()

    def routes(self) -> Iterable[BaseRoute]:
        """None."""
        return ()

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows; a surface with routes adds theirs."""
        return (row.fault_point for row in self.rpcs())

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Those of the gRPC methods' rows."""
        return ((row.name, row.permission) for row in self.rpcs())

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def reset(self) -> None:
        """Nothing in memory."""
