"""One deploy or destroy at a time: an object in the staging bucket, written only over what was read.

It expires by the server's time: its age is the difference of two times that Storage gave. While it
is held a thread renews it; at the end it is removed. One whose holder was a process of this machine
that has ended is over at once: whoever was killed can begin again without a wait.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from gpupipe.cloud.storage import Object, StorageApi
from gpupipe.core.errors import GpupipeError
from gpupipe.core.process import ProcessId, has_ended, this_process, user_at_host

NAME = "lease.json"
LIFE_S = 120.0
RENEW_S = 30.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, in words for the one who must wait."""

    who: str
    command: str
    run: str
    process: ProcessId | None


@contextmanager
def lease(storage: StorageApi, bucket: str, command: str) -> Iterator[None]:
    """Hold the lease while the block runs. GpupipeError where somebody else holds it."""
    holder = Holder(user_at_host(), command, uuid.uuid4().hex, this_process())
    generation = _take(storage, bucket, holder)
    stop = threading.Event()
    keeper = _Keeper(storage, bucket, holder, generation, stop)
    thread = threading.Thread(target=keeper.run, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        # One that cannot be removed expires; it must not hide how the block ended.
        with suppress(GpupipeError):
            storage.remove_generation(bucket, NAME, keeper.generation)


def _take(storage: StorageApi, bucket: str, holder: Holder) -> int:
    for _ in range(3):
        found = storage.stat(bucket, NAME)
        if found is not None and _is_of(storage, found, holder):
            return found.generation
        if found is not None and not _is_over(storage, bucket, found, holder):
            raise _held(storage, bucket, found)
        won = storage.swap(bucket, NAME, _text(holder), found.generation if found else 0)
        if won is not None:
            return won
    raise _held(storage, bucket, None)


def _is_of(storage: StorageApi, found: Object, holder: Holder) -> bool:
    """Whether this very run wrote it: the answer to its write was lost, and the next one refused."""
    content = storage.read(found.bucket, NAME, found.generation)
    return content == _text(holder)


def _is_over(storage: StorageApi, bucket: str, found: Object, holder: Holder) -> bool:
    """Whether the holder's process is known to have ended, or the lease is older than its life."""
    process = _process(_content(storage, bucket))
    if process is not None and has_ended(process):
        return True
    clock = f"clock/{holder.run}"
    now = storage.upload(bucket, clock, b"", content_type="text/plain").created
    storage.remove(bucket, clock)
    if now is None or found.created is None:
        return False
    return (now - found.created).total_seconds() > LIFE_S


def _held(storage: StorageApi, bucket: str, found: Object | None) -> GpupipeError:
    content = _content(storage, bucket)
    process = _process(content)
    expires = found.created + timedelta(seconds=LIFE_S) if found and found.created else None
    return GpupipeError(
        f"Another {content.get('command', 'run')} works on this pipeline.",
        resource=f"gs://{bucket}/{NAME}",
        details=f"Held by {content.get('who', 'somebody')}"
        + (f" (process {process.pid})" if process else "")
        + (f" until {expires:%H:%M:%S} UTC, unless it is renewed" if expires else "")
        + f"; a lease that is not renewed expires after {LIFE_S:.0f} s.",
        resolution="Wait for it to end, then run the same command again.",
        doc="reference/errors.md#lease",
    )


def _content(storage: StorageApi, bucket: str) -> dict[str, Any]:
    try:
        content = json.loads(storage.read(bucket, NAME) or b"{}")
    except ValueError:
        content = {}
    return content if isinstance(content, dict) else {}


def _process(content: dict[str, Any]) -> ProcessId | None:
    try:
        return ProcessId(**content["process"])
    except (KeyError, TypeError):
        return None


def _text(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


class _Keeper:
    """Renews the lease until it is told to stop."""

    def __init__(
        self,
        storage: StorageApi,
        bucket: str,
        holder: Holder,
        generation: int,
        stop: threading.Event,
    ) -> None:
        self._storage = storage
        self._bucket = bucket
        self._holder = holder
        self._stop = stop
        self.generation = generation

    def run(self) -> None:
        """Renew every so often; a renewal that fails is tried again at the next turn."""
        while not self._stop.wait(RENEW_S):
            try:
                self._renew()
            except GpupipeError:
                continue

    def _renew(self) -> None:
        won = self._storage.swap(self._bucket, NAME, _text(self._holder), self.generation)
        if won is None:
            found = self._storage.stat(self._bucket, NAME)
            won = found.generation if found and _is_of(self._storage, found, self._holder) else None
        self.generation = won or self.generation
