"""POST /postprocess: the scores of one input generation become its one result.

Contract: the result is `results/<input name>.<generation>.json`. Above INLINE_ITEMS items they
lie in a JSON Lines object beside it, which is written first: a result that can be read is
complete. A second delivery finds the first one's result before it reads a score, and answers with
that.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from common.clock import Clock, milliseconds, rfc3339
from common.fields import Fields, parse_json
from common.jsonl import encode_json, encode_lines
from common.objects import ObjectRef, object_ref, output_name
from common.problems import JsonObject
from common.store import JSON, JSON_LINES, Store, Written, find_written, read_work, write_once
from postprocess.scores import items_of, nothing_scored, summary_of

SCHEMA_VERSION = 1
INLINE_ITEMS = 1000
_MAX_SCORE_OBJECTS = 10_000
_SCORE_OBJECT_LIMIT = 64 * 1024 * 1024
_PARALLEL_READS = 8


@dataclass(frozen=True, slots=True)
class ResultRequest:
    """What the workflow hands over after the last chunk."""

    source: ObjectRef
    description: JsonObject
    scores: tuple[ObjectRef, ...]
    execution_id: str
    model: JsonObject
    device: str
    timings_ms: Mapping[str, float]

    @property
    def origin(self) -> tuple[str, str]:
        """Name and generation of the input, as `write_once` takes them."""
        return self.source.name, self.source.generation


def parse_result_request(body: Fields) -> ResultRequest:
    """Raises a ProblemError 400 that names the field."""
    fields = body.child("input")
    source = object_ref(fields)
    model = body.child("model")
    return ResultRequest(
        source=source,
        description={
            **source.to_json(),
            "size": fields.optional_count("size"),
            "content_type": fields.optional_text("content_type"),
            "crc32c": fields.optional_text("crc32c"),
        },
        scores=tuple(map(object_ref, body.children("scores", most=_MAX_SCORE_OBJECTS))),
        execution_id=body.text("execution_id"),
        model={name: model.text(name) for name in ("name", "version", "sha256")},
        device=body.text("device"),
        timings_ms=body.optional_child("timings_ms").numbers(),
    )


@dataclass(frozen=True, slots=True)
class Postprocessor:
    """The work of POST /postprocess; blocks on Cloud Storage."""

    store: Store
    output_bucket: str
    clock: Clock

    def run(self, request: ResultRequest) -> JsonObject:
        """The answer for one input."""
        began = self.clock.monotonic()
        earlier = find_written(self.store, self._target(request, ".json"), request.origin)
        if earlier is not None:
            return self._answer(earlier.ref, stored_summary(self.store, earlier.ref), began)
        items = self._items(request)
        summary = summary_of(items)
        if not summary["ok"]:
            raise nothing_scored(items)
        result = self._document(request, items, summary, began)
        written = self._write(request, ".json", encode_json(result), JSON)
        if not written.created:
            # The model may have been replaced between the two: the stored result is the one.
            summary = stored_summary(self.store, written.ref)
        return self._answer(written.ref, summary, began)

    def _answer(self, ref: ObjectRef, summary: JsonObject, began: float) -> JsonObject:
        return {
            "output_bucket": ref.bucket,
            "output_file": ref.name,
            "generation": ref.generation,
            "summary": summary,
            "timings_ms": {"postprocess": milliseconds(began, self.clock)},
        }

    def _items(self, request: ResultRequest) -> list[JsonObject]:
        def load(ref: ObjectRef) -> list[JsonObject]:
            return items_of(read_work(self.store, ref, _SCORE_OBJECT_LIMIT), ref)

        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            return list(chain.from_iterable(pool.map(load, request.scores)))

    def _document(
        self, request: ResultRequest, items: list[JsonObject], summary: JsonObject, began: float
    ) -> JsonObject:
        beside: JsonObject | None = None
        if len(items) > INLINE_ITEMS:
            data = encode_lines(items)
            beside = self._write(request, ".items.jsonl", data, JSON_LINES).ref.to_json()
        timings = {**request.timings_ms, "postprocess": milliseconds(began, self.clock)}
        return {
            "schema_version": SCHEMA_VERSION,
            "input": request.description,
            "execution_id": request.execution_id,
            "model": request.model,
            "device": request.device,
            "items": [] if beside else items,
            "items_object": beside,
            "summary": summary,
            "timings_ms": {**timings, "total": round(sum(timings.values()), 1)},
            "created_at": rfc3339(self.clock.now()),
        }

    def _write(
        self, request: ResultRequest, suffix: str, data: bytes, content_type: str
    ) -> Written:
        target = self._target(request, suffix)
        return write_once(self.store, target, data, content_type, request.origin)

    def _target(self, request: ResultRequest, suffix: str) -> tuple[str, str]:
        return self.output_bucket, output_name("results", *request.origin, suffix)


def stored_summary(store: Store, ref: ObjectRef) -> JsonObject:
    """The summary of a result that was written before."""
    document = parse_json(store.read(ref))
    summary = document.get("summary") if isinstance(document, dict) else None
    return summary if isinstance(summary, dict) else {}
