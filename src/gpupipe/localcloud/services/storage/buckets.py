"""Buckets: one namespace for all projects, fields with defaults, deletion only when empty.

They are kept as resources of kind `storage.bucket`, named `projects/_/buckets/NAME` under their
project, as JSON; other services may read them there.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import bucket_locks, bucket_rules
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.names import check_bucket_name
from gpupipe.localcloud.services.storage.preconditions import Preconditions, Versions
from gpupipe.localcloud.services.storage.refusals import StorageError, no_bucket
from gpupipe.localcloud.services.storage.times import rfc3339

KIND = "storage.bucket"


def resource_of(bucket: str) -> str:
    """The name of a bucket as an IAM resource."""
    return f"projects/_/buckets/{bucket}"


class Bucket:
    """A stored bucket: its project and its resource."""

    def __init__(self, project: str, body: Json) -> None:
        self.project = project
        self.body = body

    @property
    def name(self) -> str:
        """The global name."""
        return str(self.body["name"])

    @property
    def versioned(self) -> bool:
        """Whether replaced and deleted objects stay as noncurrent versions."""
        return bool(self.body.get("versioning", {}).get("enabled"))

    @property
    def soft_delete_s(self) -> int:
        """Seconds that removed versions can be restored; 0 is never."""
        return int(self.body["softDeletePolicy"]["retentionDurationSeconds"])

    @property
    def retention_s(self) -> int:
        """Seconds before an object may be removed; 0 is at once."""
        return int(self.body.get("retentionPolicy", {}).get("retentionPeriod", 0))

    @property
    def public_access_prevented(self) -> bool:
        """Whether allUsers and allAuthenticatedUsers are refused."""
        prevention = self.body["iamConfiguration"]["publicAccessPrevention"]
        return bool(prevention == "enforced")

    @property
    def uniform(self) -> bool:
        """Whether access is uniform: without access control lists."""
        return bool(self.body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"])

    @property
    def key(self) -> str:
        """The Cloud KMS key of new objects, "" for Google's own."""
        return str(self.body.get("encryption", {}).get("defaultKmsKeyName", ""))

    @property
    def rules(self) -> list[Json]:
        """The lifecycle rules."""
        return list(self.body.get("lifecycle", {}).get("rule", []))


class Buckets:
    """Creates, finds, changes and deletes buckets; the caller has been authorised."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def find(self, name: str) -> Bucket | None:
        """The bucket of that name, whoever owns it."""
        record = self._kernel.resources.get(KIND, resource_of(name))
        if record is None:
            return None
        return Bucket(record.parent.removeprefix("projects/"), json.loads(record.body))

    def project_of(self, name: str) -> str | None:
        """The project of a bucket; asked several times in each call, so nothing is parsed."""
        record = self._kernel.resources.get(KIND, resource_of(name))
        return None if record is None else record.parent

    def get(self, name: str) -> Bucket:
        """The bucket, or 404."""
        found = self.find(name)
        if found is None:
            raise no_bucket()
        return found

    def all(self, project: str | None = None) -> list[Bucket]:
        """Every bucket (of a project), by name."""
        parent = None if project is None else f"projects/{project}"
        records = self._kernel.resources.all(KIND, parent)
        return [Bucket(r.parent.removeprefix("projects/"), json.loads(r.body)) for r in records]

    def insert(self, project: str, body: Json) -> Bucket:
        """Create; 409 when the name is taken in any project."""
        name = check_bucket_name(body.get("name"))
        bucket_rules.check_fields(body)
        owner = self._kernel.projects.get(project)
        if owner is None:
            raise StorageError(400, "invalid", f"Unknown project id: {project}")
        with self._kernel.database.transaction():
            taken = self.find(name)
            if taken is not None:
                raise _taken(own=taken.project == owner.id)
            bucket = Bucket(owner.id, self._new_body(name, owner.number, body))
            self.check_key(bucket)
            self._store(bucket)
        return bucket

    def change(
        self, name: str, body: Mapping[str, Any], wanted: Preconditions, *, replace: bool
    ) -> Bucket:
        """PATCH, or PUT with `replace`; the location never changes."""
        bucket_rules.check_fields(body)
        with self._kernel.database.transaction():
            bucket = self.get(name)
            wanted.check_write(versions_of(bucket))
            self._check_location(bucket, body)
            merged = _replaced(bucket.body, body) if replace else _patched(bucket.body, body)
            if "softDeletePolicy" in body:
                merged.get("softDeletePolicy", {}).pop("effectiveTime", None)
            bucket_rules.check_labels(merged.get("labels") or {})
            # one moment for the whole change: its times can be compared
            now = self._kernel.clock.now()
            return self._changed(bucket, self._with_defaults(merged, bucket.body, now), now)

    def check_key(self, bucket: Bucket) -> None:
        """Raise unless Cloud Storage's agent may use the bucket's key, where it has one."""
        if bucket.key:
            self._kernel.outside.check_key(
                bucket.key,
                project=bucket.project,
                location=bucket.body["location"].lower(),
                api="storage.googleapis.com",
                path="encryption.defaultKmsKeyName",
            )

    def lock_retention(self, name: str, wanted: Preconditions) -> Bucket:
        """Lock the retention policy, for good."""
        with self._kernel.database.transaction():
            bucket = self.get(name)
            wanted.check_write(versions_of(bucket))
            locked = bucket_locks.locked_retention(bucket.body)
            return self._changed(bucket, locked, self._kernel.clock.now())

    def present(self, bucket: Bucket) -> Json:
        """The resource as the API answers it."""
        name = bucket.name
        base = self._kernel.http
        links = {
            "kind": "storage#bucket",
            "id": name,
            "selfLink": f"{base}/storage/v1/b/{name}",
            "etag": versions_of(bucket).etag,
        }
        return {**links, **bucket.body}

    def _new_body(self, name: str, number: int, body: Json) -> Json:
        location, kind = bucket_rules.location_of(body.get("location"))
        moment = self._kernel.clock.now()
        now = rfc3339(moment)
        fixed = {
            "name": name,
            "projectNumber": str(number),
            "location": location,
            "locationType": kind,
            "metageneration": "1",
            "timeCreated": now,
            "updated": now,
        }
        return self._with_defaults(_replaced(fixed, body), fixed, moment)

    def _changed(self, bucket: Bucket, body: Json, now: datetime) -> Bucket:
        fixed = {
            "metageneration": str(int(bucket.body["metageneration"]) + 1),
            "updated": rfc3339(now),
        }
        changed = Bucket(bucket.project, {**body, **fixed})
        if changed.key != bucket.key:
            self.check_key(changed)
        self._store(changed)
        return changed

    @staticmethod
    def _with_defaults(body: Json, old: Json, moment: datetime) -> Json:
        """The fields as they are kept at `moment`; `old` is the bucket before."""
        now = rfc3339(moment)
        iam = body.get("iamConfiguration", {})
        enabled = bool((iam.get("uniformBucketLevelAccess") or {}).get("enabled"))
        uniform = bucket_locks.uniform_access(old, enabled=enabled, now=moment)
        prevention = iam.get("publicAccessPrevention", "inherited")
        soft = body.get("softDeletePolicy", {})
        seconds = soft.get("retentionDurationSeconds", bucket_rules.DEFAULT_SOFT_DELETE_S)
        filled = {
            "storageClass": body.get("storageClass", "STANDARD"),
            "iamConfiguration": {
                # the older name of the same setting, which the API still repeats
                "bucketPolicyOnly": uniform,
                "uniformBucketLevelAccess": uniform,
                "publicAccessPrevention": prevention,
            },
            "softDeletePolicy": {
                "retentionDurationSeconds": str(seconds),
                "effectiveTime": soft.get("effectiveTime", now),
            },
            "encryption": {k: v for k, v in body.get("encryption", {}).items() if v},
            "retentionPolicy": bucket_locks.kept_retention(old, body.get("retentionPolicy"), now),
        }
        kept = {**body, **filled}
        return {k: v for k, v in kept.items() if v not in ({}, None)}

    def _check_location(self, bucket: Bucket, body: Mapping[str, Any]) -> None:
        wanted = body.get("location")
        if wanted and str(wanted).upper() != bucket.body["location"]:
            raise StorageError(400, "invalid", "The location of a bucket cannot be changed.")

    def _store(self, bucket: Bucket) -> None:
        body = json.dumps(bucket.body).encode()
        self._kernel.resources.put(
            KIND, resource_of(bucket.name), f"projects/{bucket.project}", body
        )


def versions_of(bucket: Bucket) -> Versions:
    """A bucket has no generation that preconditions could name; its metageneration they can."""
    return Versions(generation=1, metageneration=int(bucket.body["metageneration"]))


def _taken(*, own: bool) -> StorageError:
    if own:
        message = (
            "Your previous request to create the named bucket succeeded and you already own it."
        )
    else:
        message = (
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again."
        )
    return StorageError(409, "conflict", message)


def _replaced(body: Json, sent: Mapping[str, Any]) -> Json:
    kept = {k: v for k, v in body.items() if k not in bucket_rules.WRITABLE}
    new = {k: v for k, v in sent.items() if k in bucket_rules.WRITABLE and v is not None}
    return {**kept, **new}


def _patched(body: Json, sent: Mapping[str, Any]) -> Json:
    merged = dict(body)
    for key in bucket_rules.WRITABLE & sent.keys():
        old, new = merged.get(key), sent[key]
        if isinstance(old, dict) and isinstance(new, dict) and key != "lifecycle":
            new = {k: v for k, v in {**old, **new}.items() if v is not None}
        merged[key] = new
    return {k: v for k, v in merged.items() if v is not None}
