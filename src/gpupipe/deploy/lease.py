"""One deploy or destroy at a time: an object in the staging bucket, written only over what was read.

It expires by the server's time: its age is the difference of two times that Storage gave. While it
is held a thread renews it; `release` removes it.
"""

import getpass
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from gpupipe.cloud.storage import Object, StorageApi
from gpupipe.core.errors import GpupipeError

NAME = "lease.json"
LIFE_S = 120.0
RENEW_S = 30.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, in words for the one who must wait."""

    who: str
    command: str
    run: str


@contextmanager
def lease(storage: StorageApi, bucket: str, command: str) -> Iterator[None]:
    """Hold the lease while the block runs. GpupipeError where somebody else holds it."""
    holder = Holder(f"{getpass.getuser()}@{socket.gethostname()}", command, uuid.uuid4().hex)
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
        storage.remove_generation(bucket, NAME, keeper.generation)


def _take(storage: StorageApi, bucket: str, holder: Holder) -> int:
    for _ in range(3):
        found = storage.stat(bucket, NAME)
        if found is not None and not _expired(storage, bucket, found, holder):
            raise _held(storage, bucket, found)
        won = storage.swap(bucket, NAME, _text(holder), found.generation if found else 0)
        if won is not None:
            return won
    raise _held(storage, bucket, None)


def _expired(storage: StorageApi, bucket: str, found: Object, holder: Holder) -> bool:
    """Whether the lease is older than its life, by two times of the server."""
    clock = f"clock/{holder.run}"
    now = storage.upload(bucket, clock, b"", content_type="text/plain").created
    storage.remove(bucket, clock)
    if now is None or found.created is None:
        return False
    return (now - found.created).total_seconds() > LIFE_S


def _held(storage: StorageApi, bucket: str, found: Object | None) -> GpupipeError:
    raw = storage.read(bucket, NAME)
    try:
        content = json.loads(raw or b"{}")
    except ValueError:
        content = {}
    since: datetime | None = found.created if found else None
    return GpupipeError(
        f"Another {content.get('command', 'run')} works on this pipeline.",
        resource=f"gs://{bucket}/{NAME}",
        details=f"Held by {content.get('who', 'somebody')}"
        + (f", renewed at {since:%H:%M:%S} UTC" if since else "")
        + f"; it expires {LIFE_S:.0f} s after its last renewal.",
        resolution="Wait for it to end, then run the same command again.",
        doc="reference/errors.md#lease",
    )


def _text(holder: Holder) -> bytes:
    return json.dumps({"who": holder.who, "command": holder.command, "run": holder.run}).encode()


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
                won = self._storage.swap(self._bucket, NAME, _text(self._holder), self.generation)
            except GpupipeError:
                continue
            self.generation = won or self.generation
