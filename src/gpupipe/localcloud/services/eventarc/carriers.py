"""What carries a trigger's events: a notification of the bucket, a topic and a subscription.

They are real resources that others see and may delete. A trigger that lost one of them gets no more
events (UNSURE: own knowledge; the trigger itself does not say so).
"""

from typing import Any
from uuid import uuid4

from gpupipe.localcloud.errors import failed_precondition
from gpupipe.localcloud.kernel import notifications
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.topics import Subscription, Topic
from gpupipe.localcloud.services.eventarc.rules import PUBLISH, TYPES, filters

# gcp-facts §5: retention and pauses of deliveries
KEPT_S = 24 * 3600
FIRST_PAUSE_S = 10
LONGEST_PAUSE_S = 600


def make(kernel: Kernel, trigger: Any) -> None:
    """Make all three and name them in the trigger; FAILED_PRECONDITION when the bucket is full."""
    _, project, _, location, _, trigger_id = trigger.name.split("/")
    bucket, event = _source(trigger)
    if reason := notifications.why_full(kernel.resources, bucket, (event,)):
        raise failed_precondition(reason)
    number = f"{uuid4().int % 1000:03d}"
    stem = f"eventarc-{location}-{trigger_id}"
    topic = Topic(name=f"projects/{project}/topics/{stem}-{number}")
    subscription = Subscription(
        name=f"projects/{project}/subscriptions/{stem}-sub-{number}", topic=topic.name
    )
    subscription.message_retention_duration.FromSeconds(KEPT_S)
    subscription.retry_policy.minimum_backoff.FromSeconds(FIRST_PAUSE_S)
    subscription.retry_policy.maximum_backoff.FromSeconds(LONGEST_PAUSE_S)
    kernel.topics.put_topic(topic)
    kernel.topics.put_subscription(subscription)
    fields = {"topic": f"{notifications.TOPIC}{topic.name}", "event_types": [event]}
    notifications.add(kernel.resources, bucket, fields)
    trigger.transport.pubsub.topic = topic.name
    trigger.transport.pubsub.subscription = subscription.name


def remove(kernel: Kernel, trigger: Any) -> None:
    """Remove all three; what somebody else has removed already is fine."""
    carrier = trigger.transport.pubsub
    bucket, _ = _source(trigger)
    kernel.topics.delete_subscription(carrier.subscription)
    kernel.topics.delete_topic(carrier.topic)
    for config in _configs(kernel, trigger):
        name = notifications.name_of(bucket, config["id"])
        kernel.resources.delete(notifications.KIND, name)


def carries(kernel: Kernel, trigger: Any) -> bool:
    """Whether a new event still gets from the bucket into the subscription."""
    carrier = trigger.transport.pubsub
    subscription = kernel.topics.subscription(carrier.subscription)
    agent = kernel.agents.agent_email("storage.googleapis.com", carrier.topic.split("/")[1])
    return (
        subscription is not None
        and subscription.topic == carrier.topic
        and any(_configs(kernel, trigger))
        and kernel.authorizer.allowed(f"serviceAccount:{agent}", PUBLISH, carrier.topic)
    )


def keeps(kernel: Kernel, trigger: Any) -> bool:
    """Whether what was carried once is still there: it is lost with the subscription."""
    return kernel.topics.subscription(trigger.transport.pubsub.subscription) is not None


def _configs(kernel: Kernel, trigger: Any) -> list[dict[str, Any]]:
    bucket, event = _source(trigger)
    topic = f"{notifications.TOPIC}{trigger.transport.pubsub.topic}"
    return [
        config
        for config in notifications.configs(kernel.resources, bucket)
        if config["topic"] == topic and event in (config.get("event_types") or [event])
    ]


def _source(trigger: Any) -> tuple[str, str]:
    """Bucket and event type of its notification."""
    wanted = filters(trigger)
    return wanted["bucket"], TYPES[wanted["type"]]
