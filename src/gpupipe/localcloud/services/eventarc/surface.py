"""Eventarc's surface."""

from collections.abc import Iterable

from google.cloud import eventarc_v1 as pb
from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc.delivery import Delivery
from gpupipe.localcloud.services.eventarc.service import Triggers
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.eventarc.v1.Eventarc", "eventarc.googleapis.com")


class EventarcSurface(BaseSurface):
    """google.cloud.eventarc.v1.Eventarc, and the delivery of events."""

    def __init__(self, kernel: Kernel) -> None:
        self._delivery = Delivery(kernel)
        self._triggers = Triggers(kernel, self._delivery.forget)

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods."""
        do = self._triggers
        for method, types, handler, verb, resource in (
            ("GetTrigger", (pb.GetTriggerRequest, pb.Trigger), do.get, "get", "name"),
            ("ListTriggers", (pb.ListTriggersRequest, pb.ListTriggersResponse), do.list, "list",
             "parent"),
            ("CreateTrigger", (pb.CreateTriggerRequest, Operation), do.create, "create", "parent"),
            ("UpdateTrigger", (pb.UpdateTriggerRequest, Operation), do.update, "update",
             "trigger.name"),
            ("DeleteTrigger", (pb.DeleteTriggerRequest, Operation), do.delete, "delete", "name"),
        ):  # fmt: skip
            writes = verb not in {"get", "list"}
            permission = f"eventarc.triggers.{verb}"
            yield _TABLE.row(method, types, handler, permission, resource, writes=writes)

    def start(self) -> None:
        """Deliver."""
        self._delivery.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._delivery.stop()


def build(kernel: Kernel, _: Pipeline) -> EventarcSurface:
    """The factory for `registry.SERVICES`."""
    return EventarcSurface(kernel)
