"""POST /process: a chunk object becomes a score object.

Contract: one score record for each chunk record, in order, written once. A text that is too long
becomes a record with its error; when that is so for every text, the request is refused with it.
"""

from dataclasses import dataclass

from anyio import to_thread

from common.clock import Clock
from common.fields import Fields
from common.jsonl import broken_record, decode_lines, encode_lines
from common.objects import ObjectRef, object_ref, work_name
from common.problems import Blame, JsonObject, ProblemError
from common.store import JSON_LINES, Store, read_work, write_once
from gpu_inference.engine import Engine, Prediction

_CHUNK_LIMIT = 64 * 1024 * 1024
_NUMBERS = 100_000


@dataclass(frozen=True, slots=True)
class ChunkRequest:
    """Which chunk of which input."""

    source: ObjectRef
    chunk: ObjectRef
    execution_id: str

    @property
    def number(self) -> int:
        """The chunk's number, from its name."""
        return int(self.chunk.name.rpartition("/")[2].removesuffix(".jsonl"))


def parse_chunk_request(body: Fields) -> ChunkRequest:
    """Raises a ProblemError 400 that names the field."""
    source = object_ref(body.child("input"))
    fields = body.child("chunk")
    chunk = object_ref(fields)
    number = chunk.name.rpartition("/")[2].removesuffix(".jsonl")
    plain = number.isascii() and number.isdigit() and int(number) < _NUMBERS
    if not plain or chunk.name != work_name("chunks", source.name, source.generation, int(number)):
        message = "is not the name of a chunk of this input"
        raise ProblemError(
            400, "invalid_request", f"chunk.name: {message}", details={"field": "chunk.name"}
        )
    return ChunkRequest(source, chunk, body.text("execution_id"))


@dataclass(frozen=True, slots=True)
class ChunkScorer:
    """The work of POST /process."""

    store: Store
    engine: Engine
    work_bucket: str
    clock: Clock

    async def run(self, request: ChunkRequest) -> JsonObject:
        """The answer for one chunk. Raises a ProblemError 429 when the queue is full."""
        items = await to_thread.run_sync(self._read, request.chunk)
        found = await self.engine.predict([text for _, text in items])
        problems = [answer for answer in found.answers if isinstance(answer, ProblemError)]
        if len(problems) == len(items):
            raise problems[0]
        records = [
            {"id": identity, **_record(answer)}
            for (identity, _), answer in zip(items, found.answers, strict=True)
        ]
        ref = await to_thread.run_sync(self._write, request, records)
        return {
            "scores": ref.to_json(),
            "items": len(items),
            "model": self.engine.model,
            "device": self.engine.device.label,
            "timings_ms": {"queue": found.queue_ms, "inference": found.inference_ms},
        }

    def _read(self, ref: ObjectRef) -> list[tuple[str, str]]:
        records = decode_lines(read_work(self.store, ref, _CHUNK_LIMIT), ref)
        if not records:
            message = f"gs://{ref.bucket}/{ref.name} holds no items"
            raise ProblemError(422, "broken_work_object", message, blame=Blame.SYSTEM)
        items = []
        for number, record in enumerate(records, 1):
            identity, text = record.get("id"), record.get("text")
            if not isinstance(identity, str) or not isinstance(text, str):
                raise broken_record(ref, number)
            items.append((identity, text))
        return items

    def _write(self, request: ChunkRequest, records: list[JsonObject]) -> ObjectRef:
        source = (request.source.name, request.source.generation)
        target = (self.work_bucket, work_name("scores", *source, request.number))
        return write_once(self.store, target, encode_lines(records), JSON_LINES, source).ref


def _record(answer: Prediction | ProblemError) -> JsonObject:
    if isinstance(answer, Prediction):
        return answer.to_json()
    return {"error": {"code": answer.code, "message": answer.message}}
