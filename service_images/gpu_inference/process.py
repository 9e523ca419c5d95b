"""POST /process: a chunk object becomes a score object.

Contract: one score record for each chunk record, in order, written once. The object carries in its
metadata how it was made, so that a repeated request finds it and gets the first one's answer:
nothing is scored twice. An item that cannot be scored becomes a record with its error; when that is
so for every item of the input's only chunk, the request is refused with it.
"""

import json
import logging
from dataclasses import dataclass

from anyio import to_thread

from common.fields import Fields, parse_json
from common.items import InputItem, item_of
from common.jsonl import broken_record, decode_lines, encode_lines
from common.objects import ObjectInfo, ObjectRef, object_ref, work_name
from common.problems import Blame, JsonObject, ProblemError, invalid
from common.store import JSON_LINES, Store, find_written, read_work, write_once
from gpu_inference.engine import Engine, Predictions, answer_json

_log = logging.getLogger(__name__)
_CHUNK_LIMIT = 64 * 1024 * 1024
_MADE_KEY = "gpupipe-scores"
_NUMBERS = 100_000
# A tenth of what a request may take: the longest chunk that is let in has time enough after it.
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class ChunkRequest:
    """Which chunk of which input."""

    source: ObjectRef
    chunk: ObjectRef
    execution_id: str
    number: int
    only: bool

    @property
    def origin(self) -> tuple[str, str]:
        """Name and generation of the input, as `write_once` takes them."""
        return self.source.name, self.source.generation


def parse_chunk_request(body: Fields) -> ChunkRequest:
    """Raises a ProblemError 400 that names the field."""
    source = object_ref(body.child("input"))
    fields = body.child("chunk")
    chunk = object_ref(fields)
    number = chunk.name.rpartition("/")[2].removesuffix(".jsonl")
    plain = number.isascii() and number.isdigit() and int(number) < _NUMBERS
    if not plain or chunk.name != work_name("chunks", source.name, source.generation, int(number)):
        raise invalid(fields.path("name"), "is not the name of a chunk of this input")
    only = fields.values.get("only") is True
    return ChunkRequest(source, chunk, body.text("execution_id"), int(number), only)


@dataclass(frozen=True, slots=True)
class ChunkScorer:
    """The work of POST /process."""

    store: Store
    engine: Engine
    work_bucket: str

    async def run(self, request: ChunkRequest) -> JsonObject:
        """The answer for one chunk. Raises a ProblemError 429 when the queue is full."""
        earlier = await to_thread.run_sync(self._earlier, request)
        if earlier is not None:
            _log.info("chunk was scored before", extra={"fields": {"chunk": request.chunk.name}})
            return earlier
        items = await to_thread.run_sync(self._read, request.chunk)
        found = await self.engine.predict([item.content for item in items], _PATIENCE_S)
        problems = [answer for answer in found.answers if isinstance(answer, ProblemError)]
        if request.only and len(problems) == len(items):
            raise problems[0]
        records = [
            {**item.key(), **answer_json(answer)}
            for item, answer in zip(items, found.answers, strict=True)
        ]
        return await to_thread.run_sync(self._write, request, records, self._made(found))

    def _made(self, found: Predictions) -> JsonObject:
        return {
            "items": len(found.answers),
            "model": self.engine.model,
            "device": self.engine.device.label,
            "batch": found.batch,
            "timings_ms": {"queue": found.queue_ms, "inference": found.inference_ms},
        }

    def _earlier(self, request: ChunkRequest) -> JsonObject | None:
        info = find_written(self.store, self._target(request), request.origin)
        made = None if info is None else _made_of(info)
        return None if info is None or made is None else {"scores": info.ref.to_json(), **made}

    def _read(self, ref: ObjectRef) -> list[InputItem]:
        records = decode_lines(read_work(self.store, ref, _CHUNK_LIMIT), ref)
        if not records:
            message = f"gs://{ref.bucket}/{ref.name} holds no items"
            raise ProblemError(422, "broken_work_object", message, blame=Blame.SYSTEM)
        items = []
        for number, record in enumerate(records, 1):
            item = item_of(record)
            if item is None:
                raise broken_record(ref, number)
            items.append(item)
        return items

    def _write(
        self, request: ChunkRequest, records: list[JsonObject], made: JsonObject
    ) -> JsonObject:
        target, notes = self._target(request), {_MADE_KEY: json.dumps(made)}
        data = encode_lines(records)
        written = write_once(self.store, target, data, JSON_LINES, request.origin, notes)
        return {"scores": written.ref.to_json(), **(_made_of(written.info) or made)}

    def _target(self, request: ChunkRequest) -> tuple[str, str]:
        return self.work_bucket, work_name("scores", *request.origin, request.number)


def _made_of(info: ObjectInfo) -> JsonObject | None:
    try:
        made = parse_json(info.metadata.get(_MADE_KEY, "").encode())
    except ValueError:
        return None
    return made if isinstance(made, dict) else None
