"""Pub/Sub: what Eventarc made for triggers, by name. gpupipe makes nothing here itself."""

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing


class PubSubApi(Api):
    """The calls that gpupipe needs of Pub/Sub."""

    def topics(self, project: str) -> tuple[str, ...]:
        """Full names of a project's topics; none where the API is not enabled."""
        parent, client = f"projects/{project}", self._clients.client("publisher")
        found = none_if_missing(
            lambda: self._all("Listing topics", parent, client.list_topics, {"project": parent})
        )
        return tuple(str(one.name) for one in found or ())

    def subscriptions(self, project: str) -> tuple[str, ...]:
        """Full names of a project's subscriptions; none where the API is not enabled."""
        parent, client = f"projects/{project}", self._clients.client("subscriber")
        found = none_if_missing(
            lambda: self._all(
                "Listing subscriptions", parent, client.list_subscriptions, {"project": parent}
            )
        )
        return tuple(str(one.name) for one in found or ())
