"""One input generation becomes chunk objects.

Contract: exactly the generation of the request is read; when it is gone from the bucket the
answer is `superseded`, because a newer one has its own event. Every refusal of an object that was
found names its generation in `details.input`: without a found object there is nothing to record.
Running twice writes once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Semaphore

from common.clock import Clock, milliseconds
from common.fields import Fields
from common.objects import InputKey, ObjectInfo, ObjectRef, input_key, work_name
from common.problems import JsonObject, ProblemError, invalid
from common.store import JSON_LINES, ObjectMissingError, Store, write_once
from preprocess.chunks import Chunk, bounded, chunks
from preprocess.limits import Limits
from preprocess.readers import format_of, usable

_PARALLEL_WRITES = 8
# A parsed file is many times its size: two at a time stay within the service's memory.
_PLACES = Semaphore(2)


@dataclass(frozen=True, slots=True)
class Stage:
    """The work of POST /preprocess; blocks on Cloud Storage."""

    store: Store
    work_bucket: str
    limits: Limits
    clock: Clock

    def run(self, key: InputKey) -> JsonObject:
        """The answer for one input."""
        began = self.clock.monotonic()
        try:
            info = self.store.stat(key.bucket, key.name, key.generation)
        except ObjectMissingError:
            if key.generation is None:
                raise
            return _superseded(ObjectRef(key.bucket, key.name, key.generation))
        with _about(info.ref):
            try:
                parts = self._split(info)
            except ObjectMissingError:
                return _superseded(info.ref)
            written = self._write_all(info, parts)
        return {
            "superseded": False,
            "input": info.to_json(),
            "chunks": written,
            "items": sum(part.items for part in parts),
            "timings_ms": {"preprocess": milliseconds(began, self.clock)},
        }

    def _split(self, info: ObjectInfo) -> list[Chunk]:
        found = format_of(info.ref.name)
        limit = found.limit(self.limits)
        if info.size > limit:
            message = f"the object has {info.size} bytes; at most {limit} are processed"
            details = {"size": info.size, "limit": limit}
            raise ProblemError(413, "input_too_large", message, details=details)
        if info.size == 0:
            raise ProblemError(422, "empty_input", "the object is empty")
        with _PLACES:
            items = found.read(self.store.read(info.ref), self.limits)
            return bounded(chunks(usable(items, self.limits.rows)))

    def _write_all(self, info: ObjectInfo, parts: Sequence[Chunk]) -> list[JsonObject]:
        with ThreadPoolExecutor(_PARALLEL_WRITES) as pool:
            written = list(pool.map(lambda at: self._write(info, at, parts[at]), range(len(parts))))
        if len(written) == 1:
            # If none of its items can be scored, that is the answer for the whole input.
            written[0]["only"] = True
        return written

    def _write(self, info: ObjectInfo, number: int, chunk: Chunk) -> JsonObject:
        source = (info.ref.name, info.ref.generation)
        target = (self.work_bucket, work_name("chunks", *source, number))
        written = write_once(self.store, target, chunk.data, JSON_LINES, source)
        return {**written.ref.to_json(), "items": chunk.items}


@contextmanager
def _about(ref: ObjectRef) -> Iterator[None]:
    try:
        yield
    except ProblemError as problem:
        problem.details["input"] = ref.to_json()
        raise


def _superseded(ref: ObjectRef) -> JsonObject:
    return {"superseded": True, "input": ref.to_json()}


def parse_request(body: Fields) -> tuple[InputKey, str]:
    """The input and the execution id of a request."""
    fields = body.child("input")
    key = input_key(fields)
    if key.name.startswith("_") or key.name.endswith("/"):
        raise invalid(fields.path("name"), 'names that begin with "_" or end in "/" are ignored')
    return key, body.text("execution_id")
