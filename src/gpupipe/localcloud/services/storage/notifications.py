"""Notification configurations of buckets: kept and listed.

The local cloud delivers events to triggers itself; a configuration is what Eventarc (or a user)
left on the bucket, kept as a resource of kind `storage.notification` under the bucket.
"""

import json
import re

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.notifications import (
    EVENTS,
    KIND,
    TOPIC,
    add,
    configs,
    name_of,
    why_full,
)
from gpupipe.localcloud.services.storage.buckets import Bucket, Buckets, resource_of
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request

_TOPIC = re.compile(r"//pubsub\.googleapis\.com/projects/[^/]+/topics/[^/]+")
_PUBLISH = "pubsub.topics.publish"
_FORMATS = {"JSON_API_V1", "NONE"}
_FIELDS = ("topic", "event_types", "custom_attributes", "payload_format", "object_name_prefix")


class Notifications:
    """notifications.insert, list, get, delete."""

    def __init__(self, kernel: Kernel, buckets: Buckets) -> None:
        self._kernel = kernel
        self._buckets = buckets

    def insert(self, request: Inbound) -> Reply:
        """Add a configuration; ids count up within a bucket."""
        bucket = self._buckets.get(request.bucket)
        body = request.json()
        _check(body)
        self._check_topic(bucket, body["topic"])
        kept = {key: body[key] for key in _FIELDS if key in body}
        with self._kernel.database.transaction():
            resources, events = self._kernel.resources, body.get("event_types") or ()
            if reason := why_full(resources, request.bucket, events):
                raise bad_request(reason)
            found = add(resources, request.bucket, kept)
        return Reply(body=self._present(request, found))

    def list(self, request: Inbound) -> Reply:
        """All configurations of a bucket."""
        self._buckets.get(request.bucket)
        found = configs(self._kernel.resources, request.bucket)
        body: Json = {"kind": "storage#notifications"}
        if found:
            body["items"] = [self._present(request, one) for one in found]
        return Reply(body=body)

    def get(self, request: Inbound) -> Reply:
        """One configuration."""
        self._buckets.get(request.bucket)
        record = self._kernel.resources.get(KIND, self._named(request))
        if record is None:
            raise _missing(request)
        return Reply(body=self._present(request, json.loads(record.body)))

    def delete(self, request: Inbound) -> Reply:
        """Remove a configuration."""
        self._buckets.get(request.bucket)
        if not self._kernel.resources.delete(KIND, self._named(request)):
            raise _missing(request)
        return Reply(status=204)

    def forget(self, bucket: str) -> None:
        """Remove all configurations of a bucket that is deleted."""
        for record in self._kernel.resources.all(KIND, resource_of(bucket)):
            self._kernel.resources.delete(KIND, record.name)

    def _check_topic(self, bucket: Bucket, topic: str) -> None:
        """The topic is there, and Cloud Storage's agent of the bucket's project may publish to it."""
        agent = self._kernel.agents.agent_email("storage.googleapis.com", bucket.project)
        name = topic.removeprefix(TOPIC)
        allowed = self._kernel.authorizer.allowed(f"serviceAccount:{agent}", _PUBLISH, name)
        if self._kernel.topics.topic(name) is None or not allowed:
            # googleapis/nodejs-storage#1402
            raise bad_request(
                f"Cloud Pub/Sub topic '{topic}' not found, or user '{agent}' does not have "
                "permission to it."
            )

    def _named(self, request: Inbound) -> str:
        return name_of(request.bucket, request.path["notification"])

    def _present(self, request: Inbound, found: Json) -> Json:
        path = f"/storage/v1/b/{request.bucket}/notificationConfigs/{found['id']}"
        return {"kind": "storage#notification", "selfLink": f"{request.base}{path}", **found}


def _check(body: Json) -> None:
    if unknown_fields := body.keys() - {*_FIELDS, "id", "etag", "kind", "selfLink"}:
        raise bad_request(f"Unknown notification field: '{min(unknown_fields)}'.")
    if not _TOPIC.fullmatch(str(body.get("topic", ""))):
        raise bad_request(f"Invalid Cloud Pub/Sub topic: '{body.get('topic', '')}'.")
    unknown = set(body.get("event_types") or ()) - EVENTS
    if unknown:
        raise bad_request(f"Unknown event types: {', '.join(sorted(unknown))}.")
    if body.get("payload_format", "JSON_API_V1") not in _FORMATS:
        raise bad_request(f"Invalid payload format: '{body['payload_format']}'.")


def _missing(request: Inbound) -> StorageError:
    number = request.path["notification"]
    return StorageError(404, "notFound", f"Notification {number} was not found.")
