"""Sends files, several at a time, and follows each to its outcome while the others are still sent."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import Object
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.follow import Follower, Outcome, Sent, pause_s
from gpupipe.deploy.uploads import TYPES, Upload

_PARALLEL = 8


@dataclass(frozen=True, slots=True)
class _Failed:
    """An upload that did not succeed."""

    upload: Upload
    error: Exception


class Sender:
    """Uploads files in threads of its own, in their order; `news` tells what has been done.

    A file that cannot be uploaded is an Outcome with the state "unsent", and the rest is sent. If
    it is so with the very first ones, `news` raises their error: it will be so with all.
    """

    def __init__(self, cloud: Cloud, bucket: str, uploads: Sequence[Upload], clock: Clock) -> None:
        self._cloud = cloud
        self._bucket = bucket
        self._clock = clock
        self._todo = iter(uploads)
        self._left = len(uploads)
        self._arrived = False
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._done: queue.SimpleQueue[Sent | _Failed] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"upload-{number}", daemon=True)
            for number in range(min(_PARALLEL, len(uploads)))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def left(self) -> int:
        """How many files `news` has not told of yet."""
        return self._left

    def news(self) -> Iterator[Sent | Outcome]:
        """What was done since the last call."""
        while not self._done.empty():
            one = self._done.get()
            self._left -= 1
            if isinstance(one, Sent):
                self._arrived = True
                yield one
            else:
                yield self._unsent(one)

    def _unsent(self, failed: _Failed) -> Outcome:
        error = failed.error
        if not self._arrived or not isinstance(error, GpupipeError):
            raise error
        nothing = Object(self._bucket, failed.upload.name, 0, 0, None)
        reason = " ".join(filter(None, (error.brief, error.details)))
        return Outcome(Sent(str(failed.upload.path), nothing, 0.0), "unsent", reason=reason)

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._guard:
                upload = next(self._todo, None)
            if upload is None:
                return
            self._done.put(self._try(upload))

    def _try(self, upload: Upload) -> Sent | _Failed:
        try:
            return self._send(upload)
        except Exception as error:  # noqa: BLE001  # raised where `news` is asked for
            return _Failed(upload, error)

    def _send(self, upload: Upload) -> Sent:
        began = self._clock.monotonic()
        try:
            upload.path.open("rb").close()
        except OSError as error:
            raise GpupipeError(
                f"The file cannot be read any more ({error.strerror}).",
                resource=str(upload.path),
                resolution="Look whether it is still there, and send it again.",
                doc="reference/cli.md#test-upload",
            ) from error
        done = self._cloud.storage.upload(
            self._bucket,
            upload.name,
            upload.path,
            content_type=TYPES[PurePosixPath(upload.name).suffix.lower()],
        )
        return Sent(str(upload.path), done, self._clock.monotonic() - began)


def send(sender: Sender, cloud: Cloud, clock: Clock) -> Iterator[Sent | Outcome]:
    """Each file as soon as it is sent, and an Outcome for one that cannot be."""
    while sender.left:
        yield from sender.news()
        if sender.left:
            clock.sleep(pause_s(cloud))


def send_and_follow(
    sender: Sender, follower: Follower, cloud: Cloud, clock: Clock, *, patience_s: float
) -> Iterator[Sent | Outcome]:
    """As `send`, and an Outcome for each file as soon as it has one.

    When all are sent and `patience_s` have passed without news the rest gets the outcome `waiting`.
    """
    last = clock.monotonic()
    while sender.left or follower.waiting:
        began = clock.monotonic()
        for one in _news(sender, follower):
            last = clock.monotonic()
            yield one
        if sender.left:
            last = clock.monotonic()
        if clock.monotonic() - last > patience_s:
            break
        if sender.left or follower.waiting:
            # Of many files a look costs the API something: at most half of the time goes into looks.
            clock.sleep(max(pause_s(cloud), clock.monotonic() - began))
    yield from follower.give_up(f"{patience_s:.0f} s")


def _news(sender: Sender, follower: Follower) -> Iterator[Sent | Outcome]:
    for one in sender.news():
        if isinstance(one, Sent):
            follower.add(one)
        yield one
    yield from follower.look()
