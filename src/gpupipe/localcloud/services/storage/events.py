"""What happens to objects, as CloudEvents handed to the kernel in the same transaction."""

import uuid
from enum import StrEnum
from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage.fields import present
from gpupipe.localcloud.services.storage.rows import Version
from gpupipe.localcloud.services.storage.times import rfc3339


class Kind(StrEnum):
    """The event types of Cloud Storage that Eventarc can filter on."""

    FINALIZED = "google.cloud.storage.object.v1.finalized"
    DELETED = "google.cloud.storage.object.v1.deleted"
    ARCHIVED = "google.cloud.storage.object.v1.archived"
    METADATA_UPDATED = "google.cloud.storage.object.v1.metadataUpdated"


def publish(kernel: Kernel, kind: Kind, version: Version) -> None:
    """Hand over one event; it is stored when the caller's transaction commits, or not at all."""
    event = cloud_event(kind, version, kernel.http, rfc3339(kernel.clock.now()))
    kernel.events.publish(str(kind), version.bucket, event)


def cloud_event(kind: Kind, version: Version, base: str, time: str) -> dict[str, Any]:
    """The complete event; size and generation of its data are text, as protobuf JSON has them."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4().int),
        "type": str(kind),
        "source": f"//storage.googleapis.com/projects/_/buckets/{version.bucket}",
        "subject": f"objects/{version.name}",
        "time": time,
        "datacontenttype": "application/json",
        "bucket": version.bucket,
        "data": present(version, base),
    }
