"""Cloud Storage as the services use it, and the write that happens once.

Contract: a write creates the object or finds the one that an earlier delivery of the same event
created, never replaces anything. Failures are Problems, so an uncaught one is a correct answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from common.objects import ObjectInfo, ObjectRef, input_metadata
from common.problems import Blame, ProblemError

JSON = "application/json"
JSON_LINES = "application/x-ndjson"


class ObjectMissingError(ProblemError):
    """No such object, or no longer that generation of it."""

    def __init__(self, bucket: str, name: str, generation: str | None) -> None:
        which = f"gs://{bucket}/{name}" + (f"#{generation}" if generation else "")
        details = {"bucket": bucket, "name": name, "generation": generation}
        super().__init__(404, "object_missing", f"{which} does not exist", details=details)


class ObjectExistsError(ProblemError):
    """A creation found an object in its place (412)."""

    def __init__(self, bucket: str, name: str) -> None:
        message = f"gs://{bucket}/{name} exists and was not written for this input"
        details = {"bucket": bucket, "name": name}
        super().__init__(500, "object_exists", message, blame=Blame.SYSTEM, details=details)


class StorageDeniedError(ProblemError):
    """The service's account may not do that (403)."""

    def __init__(self, bucket: str, name: str) -> None:
        message = f"the service's account has no permission on gs://{bucket}/{name}"
        details = {"bucket": bucket, "name": name}
        super().__init__(
            500, "storage_permission_denied", message, blame=Blame.SYSTEM, details=details
        )


class StorageUnavailableError(ProblemError):
    """Cloud Storage did not answer in time, after the client's own retries."""

    def __init__(self, bucket: str, name: str, reason: str) -> None:
        message = f"Cloud Storage is unavailable for gs://{bucket}/{name}: {reason}"
        super().__init__(503, "storage_unavailable", message, blame=Blame.SYSTEM, retry_after_s=2)


class Store(Protocol):
    """The few calls of Cloud Storage that the services make; all of them block."""

    def stat(self, bucket: str, name: str, generation: str | None = None) -> ObjectInfo:
        """What is known of an object. Raises ObjectMissingError."""

    def read(self, ref: ObjectRef, start: int = 0, end: int | None = None) -> bytes:
        """The stored bytes from `start` up to, not including, `end`. Raises ObjectMissingError."""

    def create(
        self, bucket: str, name: str, data: bytes, content_type: str, metadata: dict[str, str]
    ) -> ObjectInfo:
        """Writes with ifGenerationMatch=0. Raises ObjectExistsError or StorageDeniedError."""


@dataclass(frozen=True, slots=True)
class Written:
    """The object that now holds the data; `created` is false when it was there before."""

    info: ObjectInfo
    created: bool

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return self.info.ref


def write_once(
    store: Store,
    target: tuple[str, str],
    data: bytes,
    content_type: str,
    source: tuple[str, str],
    notes: Mapping[str, str] | None = None,
) -> Written:
    """Creates `target` (bucket, name) for `source` (input name, input generation).

    `notes` are further metadata, in ASCII. A 412 says that something is there; a 403 can say the
    same to an account that may create but not delete. Either is done when the object was written
    for the same input generation.
    """
    metadata = {**input_metadata(*source), **(notes or {})}
    try:
        info = store.create(*target, data, content_type, metadata)
    except (ObjectExistsError, StorageDeniedError) as error:
        existing = find_written(store, target, source)
        if existing is None:
            raise error from None
        return Written(existing, created=False)
    except ObjectMissingError as error:  # the bucket itself: not the user's doing
        error.blame = Blame.SYSTEM
        raise
    return Written(info, created=True)


def find_written(
    store: Store, target: tuple[str, str], source: tuple[str, str]
) -> ObjectInfo | None:
    """The object at `target` when there is one that was written for `source`."""
    try:
        info = store.stat(*target)
    except ObjectMissingError:
        return None
    ours = input_metadata(*source).items() <= info.metadata.items()
    return info if ours else None


def read_work(store: Store, ref: ObjectRef, limit: int) -> bytes:
    """An intermediate object whole; that it is missing or too large is not the user's doing."""
    try:
        size = store.stat(ref.bucket, ref.name, ref.generation).size
        if size > limit:
            message = f"gs://{ref.bucket}/{ref.name} has {size} bytes; at most {limit} are read"
            raise ProblemError(413, "work_object_too_large", message, blame=Blame.SYSTEM)
        return store.read(ref)
    except ObjectMissingError as error:
        error.blame = Blame.SYSTEM
        raise
