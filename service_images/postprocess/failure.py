"""POST /fail: a file that could not be processed gets one error record.

Contract: the record is `errors/<input name>.<generation>.json`; a failure that belongs to no
generation of an object has none. A result of the same generation beats it: then nothing is written
and the answer is the result's. A result that comes after the record beats it too: whoever reads
looks for the result first (decision 4 in docs/explanation/decisions).
"""

from dataclasses import dataclass

from common.clock import Clock, rfc3339
from common.fields import Fields
from common.jsonl import encode_json
from common.objects import ObjectRef, object_ref, output_name
from common.problems import Blame, JsonObject
from common.store import JSON, Store, find_written, write_once
from postprocess.result import stored_summary

SCHEMA_VERSION = 1
STAGES = ("preprocess", "inference", "postprocess")
CLASSES = tuple(blame.value for blame in Blame)
_MESSAGE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class FailRequest:
    """Why which input failed where."""

    source: ObjectRef
    execution_id: str
    error_class: str
    stage: str
    error: JsonObject


def parse_fail_request(body: Fields) -> FailRequest:
    """Raises a ProblemError 400 that names the field."""
    error = body.child("error")
    return FailRequest(
        source=object_ref(body.child("input")),
        execution_id=body.text("execution_id"),
        error_class=body.choice("class", CLASSES),
        stage=body.choice("stage", STAGES),
        error={
            "code": error.text("code"),
            # However long or absent: the record of a failure must not fail over its message.
            "message": str(error.values.get("message") or "no message")[:_MESSAGE_CHARS],
            "details": error.optional_child("details").values,
        },
    )


@dataclass(frozen=True, slots=True)
class FailureWriter:
    """The work of POST /fail; blocks on Cloud Storage."""

    store: Store
    output_bucket: str
    clock: Clock

    def run(self, request: FailRequest) -> JsonObject:
        """The answer for one failed input."""
        source = (request.source.name, request.source.generation)
        result = find_written(
            self.store, (self.output_bucket, output_name("results", *source)), source
        )
        if result is not None:
            return {
                "output_bucket": self.output_bucket,
                "error_file": None,
                "result_file": result.ref.name,
                "summary": stored_summary(self.store, result.ref),
            }
        record = encode_json(self._record(request))
        target = (self.output_bucket, output_name("errors", *source))
        written = write_once(self.store, target, record, JSON, source)
        return {
            "output_bucket": self.output_bucket,
            "error_file": written.ref.name,
            "result_file": None,
        }

    def _record(self, request: FailRequest) -> JsonObject:
        return {
            "schema_version": SCHEMA_VERSION,
            "input": request.source.to_json(),
            "execution_id": request.execution_id,
            "class": request.error_class,
            "stage": request.stage,
            "error": request.error,
            "created_at": rfc3339(self.clock.now()),
        }
