"""google.pubsub.v1 Publisher and Subscriber: what triggers made is shown, and can be deleted.

Nothing is published or pulled here: the local cloud brings events to triggers itself.
"""

import re
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.pubsub_v1 import types as pb

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.topics import (
    SUBSCRIPTION_KIND,
    TOPIC_KIND,
    Subscription,
    Topic,
)
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_PROJECT = re.compile(r"projects/([^/]+)(/(?:topics|subscriptions)/[A-Za-z][A-Za-z0-9._~+%-]*)?")


class PubSub:
    """Get, list and delete, of topics and of subscriptions."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get_topic(self, request: Any, _: Call) -> Any:
        """GetTopic."""
        return self.topic(request.topic)

    def topic(self, name: str) -> Any:
        """The stored topic, or NOT_FOUND."""
        found = self._kernel.topics.topic(self._own(name))
        if found is None:
            raise _missing(name)
        return found

    def list_topics(self, request: Any, _: Call) -> Message:
        """ListTopics."""
        page = self._page(TOPIC_KIND, request)
        answer: Message = raw(pb.ListTopicsResponse)(
            topics=[Topic.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
        )
        return answer

    def delete_topic(self, request: Any, _: Call) -> Message:
        """DeleteTopic; its subscriptions stay, without one."""
        with self._kernel.database.transaction():
            if not self._kernel.topics.delete_topic(self._own(request.topic)):
                raise _missing(request.topic)
        return Empty()

    def get_subscription(self, request: Any, _: Call) -> Any:
        """GetSubscription."""
        return self.subscription(request.subscription)

    def subscription(self, name: str) -> Any:
        """The stored subscription, or NOT_FOUND."""
        found = self._kernel.topics.subscription(self._own(name))
        if found is None:
            raise _missing(name)
        return found

    def list_subscriptions(self, request: Any, _: Call) -> Message:
        """ListSubscriptions."""
        page = self._page(SUBSCRIPTION_KIND, request)
        answer: Message = raw(pb.ListSubscriptionsResponse)(
            subscriptions=[Subscription.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
        )
        return answer

    def delete_subscription(self, request: Any, _: Call) -> Message:
        """DeleteSubscription, with what waits in it."""
        if not self._kernel.topics.delete_subscription(self._own(request.subscription)):
            raise _missing(request.subscription)
        return Empty()

    def _page(self, kind: str, request: Any) -> Any:
        return self._kernel.resources.page(
            kind, self._own(request.project), size=request.page_size, token=request.page_token
        )

    def _own(self, name: str) -> str:
        """The name with the project's id in it."""
        match = _PROJECT.fullmatch(name)
        project = self._kernel.projects.get(match[1]) if match else None
        if match is None or project is None:
            raise invalid_argument(f"Invalid resource name {name!r}.")
        return project.name + (match[2] or "")


def _missing(name: str) -> Exception:
    return not_found(f"Resource not found (resource={name.rpartition('/')[2]}).")  # own words
