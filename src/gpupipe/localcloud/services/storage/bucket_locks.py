"""What of a bucket cannot be undone: a locked retention policy, uniform access after 90 days."""

from datetime import datetime, timedelta

from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request, not_emulated
from gpupipe.localcloud.services.storage.times import parse, rfc3339

UNIFORM_DEADLINE = timedelta(days=90)


def kept_retention(old: Json, sent: object, now: str) -> Json | None:
    """The retention policy after a change; its lock and its beginning are not the client's.

    Raises 403 for one that is locked and would become shorter or go.
    """
    before: Json = old.get("retentionPolicy", {})
    locked = bool(before.get("isLocked"))
    if not isinstance(sent, dict):
        if locked:
            message = (
                f"Bucket '{old['name']}' has a locked Retention Policy which cannot be removed."
            )
            raise StorageError(403, "forbidden", message)
        return None
    if sent.get("isLocked") and not locked:
        raise not_emulated("locking by retentionPolicy.isLocked: call lockRetentionPolicy")
    seconds = int(sent["retentionPeriod"])
    if locked and seconds < int(before["retentionPeriod"]):
        raise StorageError(
            403,
            "forbidden",
            "Cannot reduce retention duration of a locked Retention Policy for bucket "
            f"'{old['name']}'.",
        )
    kept: Json = {
        "retentionPeriod": str(seconds),
        "effectiveTime": before.get("effectiveTime", now),
    }
    return {**kept, "isLocked": True} if locked else kept


def locked_retention(body: Json) -> Json:
    """The bucket with its retention policy locked; 400 when it has none."""
    if "retentionPolicy" not in body:
        raise bad_request(f"Bucket '{body['name']}' has no retention policy to lock.")
    return {**body, "retentionPolicy": {**body["retentionPolicy"], "isLocked": True}}


def uniform_access(old: Json, *, enabled: bool, now: datetime) -> Json:
    """The setting with the time until which it can be switched off; 412 after that."""
    before: Json = old.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {})
    deadline = before.get("lockedTime")
    if enabled:
        return {"enabled": True, "lockedTime": deadline or rfc3339(now + UNIFORM_DEADLINE)}
    if deadline and parse(deadline) < now:
        raise StorageError(
            412,
            "conditionNotMet",
            f"Uniform bucket-level access of '{old['name']}' cannot be disabled: it has been "
            f"enabled for more than {UNIFORM_DEADLINE.days} days.",
        )
    return {"enabled": False}
