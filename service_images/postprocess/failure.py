"""POST /fail: a file that could not be processed gets one error record.

Contract: the record is `errors/<input name>.<generation>.json`. A result of the same generation
beats it: then nothing is written and the answer names the result. Where the generation never
became known (the object did not exist) the record carries generation 0, Cloud Storage's own
number for "no object".
"""

from dataclasses import dataclass

from common.clock import Clock, rfc3339
from common.fields import Fields
from common.jsonl import encode_json
from common.objects import InputKey, input_key, output_name
from common.problems import Blame, JsonObject
from common.store import JSON, Store, find, write_once

SCHEMA_VERSION = 1
STAGES = ("preprocess", "inference", "postprocess")
CLASSES = tuple(blame.value for blame in Blame)
_NO_OBJECT = "0"
_MESSAGE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class FailRequest:
    """Why which input failed where."""

    key: InputKey
    execution_id: str
    error_class: str
    stage: str
    error: JsonObject


def parse_fail_request(body: Fields) -> FailRequest:
    """Raises a ProblemError 400 that names the field."""
    error = body.child("error")
    return FailRequest(
        key=input_key(body.child("input")),
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
        name, generation = request.key.name, request.key.generation or _NO_OBJECT
        result = output_name("results", name, generation)
        if find(self.store, self.output_bucket, result) is not None:
            return self._answer(None, result)
        record = encode_json(self._record(request))
        target = (self.output_bucket, output_name("errors", name, generation))
        written = write_once(self.store, target, record, JSON, (name, generation))
        return self._answer(written.ref.name, None)

    def _answer(self, error_file: str | None, result_file: str | None) -> JsonObject:
        return {
            "output_bucket": self.output_bucket,
            "error_file": error_file,
            "result_file": result_file,
        }

    def _record(self, request: FailRequest) -> JsonObject:
        key = request.key
        return {
            "schema_version": SCHEMA_VERSION,
            "input": {"bucket": key.bucket, "name": key.name, "generation": key.generation},
            "execution_id": request.execution_id,
            "class": request.error_class,
            "stage": request.stage,
            "error": request.error,
            "created_at": rfc3339(self.clock.now()),
        }
