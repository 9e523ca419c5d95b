"""What keeps an object version from being deleted or replaced: holds, and the bucket's retention.

Retention counts from the object's creation, or from the end of its event-based hold. The time of
that end is kept in the body as `RETAINED_FROM`, which no answer shows.
"""

from datetime import datetime, timedelta

from gpupipe.localcloud.services.storage.buckets import Bucket
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.refusals import StorageError
from gpupipe.localcloud.services.storage.rows import RETAINED_FROM, Version
from gpupipe.localcloud.services.storage.times import parse, rfc3339


def expiration(bucket: Bucket, body: Json) -> str | None:
    """The time until which an object is retained; None when it is not, or not yet known."""
    if not bucket.retention_s or body.get("eventBasedHold"):
        return None
    start = parse(body.get(RETAINED_FROM) or body["timeCreated"])
    return rfc3339(start + timedelta(seconds=bucket.retention_s))


def retained(bucket: Bucket, version: Version) -> Version:
    """The version with the expiration that its bucket's policy gives it."""
    return version.with_body(retentionExpirationTime=expiration(bucket, version.body))


def released(before: Version, after: Version, now: datetime) -> Version:
    """After a change of holds: the end of an event-based hold begins the retention anew."""
    if before.body.get("eventBasedHold") and not after.body.get("eventBasedHold"):
        return after.with_body(**{RETAINED_FROM: rfc3339(now)})
    return after


def check(version: Version, now: datetime) -> None:
    """Raise 403 while a hold or retention keeps a version."""
    where = f"Object '{version.bucket}/{version.name}'"
    for flag, word in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if version.body.get(flag):
            raise StorageError(
                403,
                "objectUnderActiveHold",
                f"{where} is under active {word} hold and cannot be deleted, overwritten or "
                "archived until hold is removed.",
            )
    until = version.body.get("retentionExpirationTime")
    if until and parse(until) > now:
        raise StorageError(
            403,
            "retentionPolicyNotMet",
            f"{where} is subject to bucket's retention policy or object retention and cannot "
            f"be deleted or overwritten until {until}",
        )
