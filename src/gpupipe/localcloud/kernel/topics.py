"""Topics and subscriptions as they are stored: made by Eventarc, shown and deleted by Pub/Sub."""

from typing import Any

from google.pubsub_v1 import types as pb

from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.store.resources import Resources

TOPIC_KIND = "pubsub.topic"
SUBSCRIPTION_KIND = "pubsub.subscription"
Topic: Any = type(pb.Topic.pb(pb.Topic()))
Subscription: Any = type(pb.Subscription.pb(pb.Subscription()))
DELETED_TOPIC = "_deleted-topic_"
"""What a subscription says of a topic that is gone (Subscription.topic)."""


class Topics:
    """Topics and subscriptions of all projects, by "projects/P/topics/T" and ".../subscriptions/S"."""

    def __init__(self, resources: Resources, policies: Policies) -> None:
        self._resources = resources
        self._policies = policies

    def topic(self, name: str) -> Any:
        """The stored topic, or None."""
        record = self._resources.get(TOPIC_KIND, name)
        return None if record is None else Topic.FromString(record.body)

    def subscription(self, name: str) -> Any:
        """The stored subscription, or None."""
        record = self._resources.get(SUBSCRIPTION_KIND, name)
        return None if record is None else Subscription.FromString(record.body)

    def put_topic(self, topic: Any) -> None:
        """Create or replace."""
        self._put(TOPIC_KIND, topic)

    def put_subscription(self, subscription: Any) -> None:
        """Create or replace."""
        self._put(SUBSCRIPTION_KIND, subscription)

    def delete_topic(self, name: str) -> bool:
        """Remove a topic with its policy; its subscriptions stay, without one. False when there was none."""
        for record in self._resources.all(SUBSCRIPTION_KIND, _project(name)):
            subscription = Subscription.FromString(record.body)
            if subscription.topic == name:
                subscription.topic = DELETED_TOPIC
                self.put_subscription(subscription)
        self._policies.delete(name)
        return self._resources.delete(TOPIC_KIND, name)

    def delete_subscription(self, name: str) -> bool:
        """Remove a subscription with its policy; False when there was none."""
        self._policies.delete(name)
        return self._resources.delete(SUBSCRIPTION_KIND, name)

    def _put(self, kind: str, message: Any) -> None:
        self._resources.put(kind, message.name, _project(message.name), message.SerializeToString())


def _project(name: str) -> str:
    return "/".join(name.split("/")[:2])
