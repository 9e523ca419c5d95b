"""What is measured of the subscriptions behind triggers."""

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc.delivery import Delivery
from gpupipe.localcloud.services.eventarc.metrics import SubscriptionMetrics
from gpupipe.localcloud.services.eventarc.rules import KIND, Trigger

PARENT = "projects/demo-project/locations/us-central1"


def test_a_trigger_that_is_still_being_created_has_no_subscription_to_measure(
    kernel: Kernel,
) -> None:
    Delivery(kernel)
    for name, subscription in (("new", ""), ("old", "projects/demo-project/subscriptions/sub")):
        trigger = Trigger(name=f"{PARENT}/triggers/{name}")
        trigger.transport.pubsub.subscription = subscription
        kernel.resources.put(KIND, trigger.name, PARENT, trigger.SerializeToString())
    found = list(SubscriptionMetrics(kernel).gauges())
    assert [one.resource_labels["subscription_id"] for one in found] == ["sub", "sub"]
