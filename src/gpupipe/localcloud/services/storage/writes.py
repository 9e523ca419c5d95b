"""How a version of an object comes and goes: one transaction with its event.

Replacing a live object needs storage.objects.delete too, and honours holds and retention. What is
replaced or removed becomes noncurrent, soft-deleted or is gone, as the bucket says.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import access, protection
from gpupipe.localcloud.services.storage.blobs import Blob
from gpupipe.localcloud.services.storage.buckets import Bucket, Buckets
from gpupipe.localcloud.services.storage.checksums import Digest
from gpupipe.localcloud.services.storage.events import Kind, publish
from gpupipe.localcloud.services.storage.fields import DEFAULT_TYPE, written
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.preconditions import Preconditions
from gpupipe.localcloud.services.storage.rows import Rows, State, Version, versions_of
from gpupipe.localcloud.services.storage.times import rfc3339


@dataclass(frozen=True, slots=True)
class NewObject:
    """What is to be written where, by whom, under which conditions."""

    caller: Caller
    bucket: str
    name: str
    fields: Json
    wanted: Preconditions = field(default_factory=Preconditions)


class Writer:
    """Adds and retires versions."""

    def __init__(self, kernel: Kernel, buckets: Buckets, rows: Rows) -> None:
        self._kernel = kernel
        self._buckets = buckets
        self._rows = rows

    def check(self, new: NewObject) -> None:
        """Raise what `commit` would, before any data is taken in."""
        self._buckets.get(new.bucket)
        self._check_target(new)

    def commit(self, new: NewObject, blob: Blob, *, components: int | None = None) -> Version:
        """Make a stored blob the live version of its name."""
        with self._kernel.database.transaction():
            bucket = self._buckets.get(new.bucket)
            live = self._check_target(new)
            if live is not None:
                self.retire(bucket, live, versioned=bucket.versioned)
            version = self._version(bucket, new, blob, components)
            self._rows.add(version)
            publish(self._kernel, Kind.FINALIZED, version)
        return version

    def retire(self, bucket: Bucket, version: Version, *, versioned: bool) -> None:
        """Take a version out of its place: noncurrent if `versioned`, else deleted."""
        now = self._kernel.clock.now()
        with self._kernel.database.transaction():
            if versioned and version.state is State.LIVE:
                gone = version.with_body(timeDeleted=rfc3339(now))
                self._rows.change(replace(gone, state=State.NONCURRENT))
                publish(self._kernel, Kind.ARCHIVED, gone)
            else:
                self._delete(bucket, version)
                publish(self._kernel, Kind.DELETED, version)

    def _check_target(self, new: NewObject) -> Version | None:
        live = self._rows.live(new.bucket, new.name)
        new.wanted.check_write(versions_of(live))
        if live is not None:
            access.require(self._kernel, new.caller, "storage.objects.delete", new.bucket)
            protection.check(live, self._kernel.clock.now())
        return live

    def _delete(self, bucket: Bucket, version: Version) -> None:
        if not bucket.soft_delete_s:
            self._rows.remove(version)
            return
        now = self._kernel.clock.now()
        gone = version.with_body(
            softDeleteTime=rfc3339(now),
            hardDeleteTime=rfc3339(now + timedelta(seconds=bucket.soft_delete_s)),
        )
        self._rows.change(replace(gone, state=State.SOFT_DELETED))

    def _version(
        self, bucket: Bucket, new: NewObject, blob: Blob, components: int | None
    ) -> Version:
        now = self._kernel.clock.now()
        text = rfc3339(now)
        body: Json = {
            "contentType": DEFAULT_TYPE,
            "storageClass": new.fields.get("storageClass") or bucket.body["storageClass"],
            **written(new.fields),
            **_measured(blob.digest),
            "metageneration": "1",
            **dict.fromkeys(("timeCreated", "updated", "timeStorageClassUpdated"), text),
            "timeFinalized": text,
        }
        if bucket.body.get("defaultEventBasedHold"):
            body.setdefault("eventBasedHold", True)
        if bucket.key:
            self._buckets.check_key(bucket)
            body["kmsKeyName"] = f"{bucket.key}/cryptoKeyVersions/1"
        if components is not None:
            body["componentCount"] = components
        generation = self._rows.next_generation(now)
        version = Version(new.bucket, new.name, generation, State.LIVE, blob.name, body)
        return protection.retained(bucket, version)


def digest_of(version: Version) -> Digest:
    """The checksums that a version was stored with."""
    body = version.body
    return Digest(version.size, body["crc32c"], body.get("md5Hash"))


def _measured(digest: Digest) -> Json:
    found: Json = {"size": str(digest.size), "crc32c": digest.crc32c}
    return found if digest.md5 is None else {**found, "md5Hash": digest.md5}
