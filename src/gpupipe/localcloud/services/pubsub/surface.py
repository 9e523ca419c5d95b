"""Pub/Sub's surface. Policies are there over REST alone, as those of Cloud KMS."""

from collections.abc import Iterable

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.pubsub.service import PubSub
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_API = "pubsub.googleapis.com"
_TOPICS = Rows("google.pubsub.v1.Publisher", _API)
_SUBSCRIPTIONS = Rows("google.pubsub.v1.Subscriber", _API)
_PAGED = ("project", "page_size", "page_token")


class PubSubSurface(BaseSurface):
    """google.pubsub.v1.Publisher and google.pubsub.v1.Subscriber."""

    def __init__(self, kernel: Kernel) -> None:
        self._pubsub = do = PubSub(kernel)
        self._of_topics, self._of_subscriptions = (
            PolicyMethods(kernel, f"pubsub.{kind}", name)
            for kind, name in (
                ("topics", lambda given: str(do.topic(given).name)),
                ("subscriptions", lambda given: str(do.subscription(given).name)),
            )
        )

    def rpcs(self) -> Iterable[Rpc]:
        """Three methods of each, and three of their policies."""
        yield from self._of_topics.rows(_TOPICS)
        yield from self._of_subscriptions.rows(_SUBSCRIPTIONS)
        do = self._pubsub
        for table, method, types, handler, resource in (
            (_TOPICS, "GetTopic", (pb.GetTopicRequest, pb.Topic), do.get_topic, "topic"),
            (_TOPICS, "ListTopics", (pb.ListTopicsRequest, pb.ListTopicsResponse),
             do.list_topics, "project"),
            (_TOPICS, "DeleteTopic", (pb.DeleteTopicRequest, Empty), do.delete_topic, "topic"),
            (_SUBSCRIPTIONS, "GetSubscription", (pb.GetSubscriptionRequest, pb.Subscription),
             do.get_subscription, "subscription"),
            (_SUBSCRIPTIONS, "ListSubscriptions",
             (pb.ListSubscriptionsRequest, pb.ListSubscriptionsResponse), do.list_subscriptions,
             "project"),
            (_SUBSCRIPTIONS, "DeleteSubscription", (pb.DeleteSubscriptionRequest, Empty),
             do.delete_subscription, "subscription"),
        ):  # fmt: skip
            verb = handler.__name__.partition("_")[0]
            collection = "topics" if table is _TOPICS else "subscriptions"
            yield table.row(
                method,
                types,
                handler,
                f"pubsub.{collection}.{verb}",
                resource,
                writes=verb == "delete",
                fields=_PAGED if verb == "list" else (resource,),
            )


def build(kernel: Kernel, _: Pipeline) -> PubSubSurface:
    """The factory for `registry.SERVICES`."""
    return PubSubSurface(kernel)
