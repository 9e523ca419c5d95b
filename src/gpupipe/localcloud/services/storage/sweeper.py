"""What happens to objects as time passes: lifecycle rules, the end of soft delete, old uploads."""

import threading
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import protection
from gpupipe.localcloud.services.storage.blobs import Blobs
from gpupipe.localcloud.services.storage.buckets import Bucket, Buckets
from gpupipe.localcloud.services.storage.lifecycle import Candidate, due
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.refusals import StorageError
from gpupipe.localcloud.services.storage.resumable import Resumable
from gpupipe.localcloud.services.storage.rows import Rows, State, Version
from gpupipe.localcloud.services.storage.sessions import Sessions
from gpupipe.localcloud.services.storage.times import parse, rfc3339
from gpupipe.localcloud.services.storage.writes import Writer

PERIOD_S = 600.0


class Sweeper:
    """Applies rules of time; `sweep` is one round, `start` repeats it."""

    def __init__(
        self,
        kernel: Kernel,
        buckets: Buckets,
        rows: Rows,
        writer: Writer,
        resumable: Resumable,
    ) -> None:
        self._kernel = kernel
        self._buckets = buckets
        self._rows = rows
        self._writer = writer
        self._resumable = resumable
        self._stopped = False
        self._woken = threading.Event()
        kernel.clock.on_move(self._woken.set)
        self._thread = threading.Thread(target=self._run, name="storage-sweep", daemon=True)

    def start(self) -> None:
        """Sweep now, every ten minutes and when the clock was moved, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the repetition."""
        self._stopped = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def sweep(self, now: datetime) -> int:
        """One round at a given time; the number of versions that were changed or removed."""
        self._resumable.expire()
        return sum(self._sweep_bucket(bucket, now) for bucket in self._buckets.all())

    def _run(self) -> None:
        while True:
            # cleared before the look at `_stopped`, which is set first: no end is missed
            self._woken.clear()
            if self._stopped:
                return
            self.sweep(self._kernel.clock.now())
            self._woken.wait(PERIOD_S)

    def _sweep_bucket(self, bucket: Bucket, now: datetime) -> int:
        changed = 0
        for version, newer in _with_newer(self._rows.all_of(bucket.name)):
            changed += self._sweep_version(bucket, version, newer, now)
        return changed

    def _sweep_version(self, bucket: Bucket, version: Version, newer: int, now: datetime) -> bool:
        if version.state is State.SOFT_DELETED:
            if parse(version.body["hardDeleteTime"]) > now:
                return False
            self._rows.remove(version)
            return True
        action = due(bucket.rules, _candidate(version, newer), now)
        return action is not None and self._apply(bucket, version, action)

    def _apply(self, bucket: Bucket, version: Version, action: Json) -> bool:
        with self._kernel.database.transaction():
            found = self._rows.version(version.bucket, version.name, version.generation)
            if found is None or found.state is not version.state:
                return False
            if action["type"] == "Delete":
                return self._delete(bucket, found)
            if found.body["storageClass"] == action["storageClass"]:
                return False
            time = rfc3339(self._kernel.clock.now())
            self._rows.change(
                found.with_body(storageClass=action["storageClass"], timeStorageClassUpdated=time)
            )
        return True

    def _delete(self, bucket: Bucket, found: Version) -> bool:
        try:
            protection.check(found, self._kernel.clock.now())
        except StorageError:
            # docs: holds and retention go before lifecycle rules
            return False
        self._writer.retire(bucket, found, versioned=bucket.versioned)
        return True


def remove_orphans(blobs: Blobs, rows: Rows, sessions: Sessions) -> int:
    """Remove the files that a crash left without a row; only while nothing is being written."""
    return blobs.sweep(rows.blobs_in_use(), sessions.unfinished())


def _with_newer(versions: list[Version]) -> Iterator[tuple[Version, int]]:
    """Each version with the number of newer live and noncurrent ones of its name."""
    for _, group in groupby(versions, key=lambda version: version.name):
        newer = 0
        for version in group:
            yield version, newer
            newer += version.state is not State.SOFT_DELETED


def _candidate(version: Version, newer: int) -> Candidate:
    gone = version.body.get("timeDeleted") if version.state is State.NONCURRENT else None
    custom = version.body.get("customTime")
    return Candidate(
        version.name,
        version.body["storageClass"],
        parse(version.body["timeCreated"]),
        parse(gone) if gone else None,
        newer,
        parse(custom) if custom else None,
    )
