"""Hand-written stand-ins: a bucket world in memory, a clock, a scorer, a client that is ready."""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import StarletteDeprecationWarning

from common.objects import ObjectInfo, ObjectRef
from common.store import ObjectExistsError, ObjectMissingError
from gpu_inference.inputs import Row
from gpu_inference.session import Device

with warnings.catch_warnings():
    # It prefers a successor of httpx that nothing here depends on; httpx is supported still.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette import testclient

TestClient = testclient.TestClient

INPUT, WORK, OUTPUT = "in", "work", "out"


@dataclass(frozen=True)
class Stored:
    data: bytes
    content_type: str
    metadata: dict[str, str]


@dataclass
class MemoryStore:
    """Generations, preconditions, deletion; `refusals` make a call on that name raise.

    The first stat of a name in `unseen` does not see the object, as if it came just after.
    """

    objects: dict[tuple[str, str], dict[str, Stored]] = field(default_factory=dict)
    reads: list[tuple[str, int, int | None]] = field(default_factory=list)
    refusals: dict[tuple[str, str], Exception] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    last: int = 1000
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, bucket: str, name: str, data: bytes, **metadata: str) -> str:
        """As a user's upload: a new generation, the old one is gone."""
        with self.lock:
            self.last += 1
            stored = Stored(data, "text/plain", metadata)
            self.objects[(bucket, name)] = {str(self.last): stored}
            return str(self.last)

    def data(self, bucket: str, name: str) -> bytes:
        return next(iter(self.objects[(bucket, name)].values())).data

    def names(self, bucket: str) -> list[str]:
        return sorted(name for where, name in self.objects if where == bucket)

    def stat(self, bucket: str, name: str, generation: str | None = None) -> ObjectInfo:
        self._refuse("stat", name)
        if name in self.unseen:
            self.unseen.discard(name)
            raise ObjectMissingError(bucket, name, generation)
        versions = self.objects.get((bucket, name), {})
        generation = generation or next(iter(versions), None)
        if generation is None or generation not in versions:
            raise ObjectMissingError(bucket, name, generation)
        stored = versions[generation]
        ref = ObjectRef(bucket, name, generation)
        return ObjectInfo(ref, len(stored.data), stored.content_type, "AAAAAA==", stored.metadata)

    def read(self, ref: ObjectRef, start: int = 0, end: int | None = None) -> bytes:
        self._refuse("read", ref.name)
        self.reads.append((ref.name, start, end))
        self.stat(ref.bucket, ref.name, ref.generation)
        return self.objects[(ref.bucket, ref.name)][ref.generation].data[start:end]

    def create(
        self, bucket: str, name: str, data: bytes, content_type: str, metadata: dict[str, str]
    ) -> ObjectInfo:
        self._refuse("create", name)
        with self.lock:
            if (bucket, name) in self.objects:
                raise ObjectExistsError(bucket, name)
            self.last += 1
            stored = Stored(data, content_type, metadata)
            self.objects[(bucket, name)] = {str(self.last): stored}
        return self.stat(bucket, name)

    def _refuse(self, call: str, name: str) -> None:
        if error := self.refusals.get((call, name)):
            raise error


class FixedClock:
    """Stands still unless moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
        self.seconds = 100.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class FakeScorer:
    """Three probabilities from the number of tokens; can be held and can fail."""

    device: Device = field(default_factory=lambda: Device(cuda=False, label="cpu"))
    batches: list[list[int]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.hold.set()

    def score(self, rows: Sequence[Row]) -> list[list[float]]:
        self.batches.append([len(row) for row in rows])
        self.entered.release()
        assert self.hold.wait(20)
        if self.error is not None:
            raise self.error
        return [[0.1, 0.2, 0.7] if len(row) % 2 else [0.85, 0.1, 0.05] for row in rows]


@contextmanager
def client_of(app: Starlette) -> Iterator[TestClient]:
    """A client of an application whose start has ended, well or not."""
    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(app.state.startup.wait)
        yield client


def error_of(response: Any) -> dict[str, Any]:
    """The error of an answer, whose shape is checked."""
    body = response.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "class", "message", "details"}
    assert error["class"] in {"input", "capacity", "system"}
    assert isinstance(error, dict)
    return error


def opener(store: MemoryStore) -> Callable[[], MemoryStore]:
    return lambda: store
