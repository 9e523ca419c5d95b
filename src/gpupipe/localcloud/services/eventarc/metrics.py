"""What waits in the subscriptions behind triggers, as Pub/Sub measures it."""

from collections.abc import Iterable, Iterator

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.metrics import Descriptor, NothingRecorded, Sample
from gpupipe.localcloud.services.eventarc.carriers import KEPT_S
from gpupipe.localcloud.services.eventarc.rules import KIND, Trigger

RESOURCE = "pubsub_subscription"
_WAITING = "pubsub.googleapis.com/subscription/num_undelivered_messages"
_AGE = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
DESCRIPTORS = (
    Descriptor(_WAITING, "GAUGE", "INT64", "1", RESOURCE, (), "Messages that wait."),
    Descriptor(_AGE, "GAUGE", "INT64", "s", RESOURCE, (), "Age of the oldest one that waits."),
)


class SubscriptionMetrics(NothingRecorded):
    """A `Source`, over the deliveries that wait."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        """The same in every project."""
        del project
        return DESCRIPTORS

    def gauges(self) -> Iterator[Sample]:
        """Of every trigger's subscription."""
        now = self._kernel.clock.now()
        found = self._kernel.database.read().execute(
            "SELECT trigger_name, count(*) AS waiting, min(ends) AS ends"
            " FROM eventarc_deliveries GROUP BY trigger_name"
        )
        rows = {row["trigger_name"]: row for row in found.fetchall()}
        for record in self._kernel.resources.all(KIND):
            trigger, row = Trigger.FromString(record.body), rows.get(record.name)
            subscription = trigger.transport.pubsub.subscription
            if not subscription:  # it is still being created
                continue
            _, project, _, name = subscription.split("/")
            labels = {"project_id": project, "subscription_id": name}
            age = now.timestamp() - (row["ends"] - KEPT_S) if row else 0.0
            yield Sample(_WAITING, RESOURCE, labels, now, row["waiting"] if row else 0)
            yield Sample(_AGE, RESOURCE, labels, now, max(0, int(age)))
