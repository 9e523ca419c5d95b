"""Eventarc's surface. The policies of triggers are there over REST alone, as those of Cloud KMS."""

from collections.abc import Iterable

from gpupipe.localcloud.kernel import act_as
from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc.delivery import EVENTS, Delivery
from gpupipe.localcloud.services.eventarc.metrics import SubscriptionMetrics
from gpupipe.localcloud.services.eventarc.service import FIELDS, Triggers, triggers_of
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.eventarc.v1.Eventarc", "eventarc.googleapis.com")


class EventarcSurface(BaseSurface):
    """google.cloud.eventarc.v1.Eventarc, and the delivery of events."""

    def __init__(self, kernel: Kernel) -> None:
        self._delivery = Delivery(kernel)
        kernel.metrics.register(SubscriptionMetrics(kernel))
        self._triggers = Triggers(kernel, self._delivery.forget)
        self._policies = PolicyMethods(kernel, "eventarc.triggers", self._triggers.policy_name)
        self._collection = triggers_of(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The five methods, and three of policies."""
        yield from self._collection.rows(_TABLE, self._triggers, "eventarc.triggers", FIELDS)
        yield from self._policies.rows(_TABLE)

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows, and the delivery of events."""
        yield from super().fault_points()
        yield EVENTS

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also acting as the trigger's account."""
        yield from super().permissions()
        yield "eventarc.triggers.create", act_as.PERMISSION
        yield "eventarc.triggers.update", act_as.PERMISSION

    def start(self) -> None:
        """Deliver."""
        self._delivery.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._delivery.stop()


def build(kernel: Kernel, _: Pipeline) -> EventarcSurface:
    """The factory for `registry.SERVICES`."""
    return EventarcSurface(kernel)
