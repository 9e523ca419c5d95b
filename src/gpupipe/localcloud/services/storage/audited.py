"""How the audit logs tell of a call of Cloud Storage: by its permission, on the bucket or the object.

A resumable upload is told once, when its object is there. Of a copy the reading is told, not the
writing (UNSURE how Google tells both).
"""

from collections.abc import Callable

from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.services.storage.buckets import Buckets, resource_of
from gpupipe.localcloud.services.storage.message import Download, Reply
from gpupipe.localcloud.services.storage.routes import Match

_NAMES = {
    "storage.buckets.getIamPolicy": "storage.getIamPermissions",
    "storage.buckets.setIamPolicy": "storage.setIamPermissions",
}
_CREATES = "storage.buckets.create"
_INSERTS = "storage.objects.insert"


def audited(
    match: Match, resource: str, buckets: Buckets, answer: Callable[[], Reply | Download | None]
) -> Audited:
    """The call of a row; `answer` is asked when it has ended, None where it was refused."""
    permission = match.method.permission

    def target() -> Target | None:
        given = answer()
        body = (given.body if isinstance(given, Reply) else None) or {}
        if match.method.name == _INSERTS and given is not None and not body:
            return None
        bucket = match.path.get("bucket") or (body.get("name") if permission == _CREATES else "")
        if not bucket:
            return Target(resource)
        found = buckets.find(bucket)
        labels = {"bucket_name": bucket}
        labels |= {"location": found.body["location"].lower()} if found else {}
        name = _object(match, body)
        whole = f"{resource_of(bucket)}/objects/{name}" if name else resource_of(bucket)
        return Target(whole, "gcs_bucket", labels)

    return Audited(permission, _NAMES.get(permission, permission), target)


def _object(match: Match, body: dict[str, object]) -> str:
    if match.method.name == _INSERTS:
        return match.query.get("name") or str(body.get("name", ""))
    return match.path.get("object", "")
