"""Notification configurations of buckets as they are stored, by Cloud Storage and by Eventarc.

Each is JSON in the API's own names ("topic", "event_types", ...), of kind `storage.notification`
under its bucket. `Resources` of one local cloud come first in each call.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gpupipe.localcloud.store.resources import Resources

KIND = "storage.notification"
EVENTS = frozenset({"OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"})
TOPIC = "//pubsub.googleapis.com/"
"""What stands before a topic's name in a configuration."""
# gcp-facts §5
_MOST = 100
_MOST_OF_EVENT = 10


def configs(resources: Resources, bucket: str) -> list[dict[str, Any]]:
    """The configurations of a bucket, oldest first."""
    found = [json.loads(record.body) for record in resources.all(KIND, _bucket(bucket))]
    return sorted(found, key=lambda one: int(one["id"]))


def why_full(resources: Resources, bucket: str, events: Iterable[str]) -> str:
    """Why the bucket takes no more configurations of these event types ("" when it does).

    A configuration without event types, as a request without them, is for all.
    """
    known = configs(resources, bucket)
    if len(known) >= _MOST:
        return f"A bucket can have at most {_MOST} notification configurations."
    for event in sorted(events or EVENTS):
        if sum(event in (one.get("event_types") or EVENTS) for one in known) >= _MOST_OF_EVENT:
            return (
                f"A bucket can have at most {_MOST_OF_EVENT} notification configurations for "
                f"{event}."
            )
    return ""


def add(resources: Resources, bucket: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a configuration under the next number of its bucket; the whole of it."""
    number = 1 + max((int(one["id"]) for one in configs(resources, bucket)), default=0)
    config = {"payload_format": "JSON_API_V1", **fields, "id": str(number), "etag": str(number)}
    body = json.dumps(config).encode()
    resources.put(KIND, name_of(bucket, str(number)), _bucket(bucket), body)
    return config


def name_of(bucket: str, number: str) -> str:
    """The name under which a configuration is stored."""
    return f"{_bucket(bucket)}/notificationConfigs/{number}"


def _bucket(bucket: str) -> str:
    return f"projects/_/buckets/{bucket}"
