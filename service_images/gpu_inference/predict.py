"""POST /predict: items in the request, predictions in the answer.

Contract: `{"instances": [text | {"id", "text"} | {"id", "image": {"b64"}}]}` answers
`{"predictions": [...]}` (the custom container contract of Vertex AI, which writes bytes as `b64`
too); `{"text": ...}` answers with the recipe's keys.
"""

import base64
import binascii
from dataclasses import dataclass

from common.clock import Clock
from common.fields import Fields, as_fields, checked_text, is_blank
from common.problems import JsonObject, ProblemError, invalid
from gpu_inference.engine import Engine, Prediction, answer_json
from gpu_inference.inputs import Item

BODY_LIMIT = 8 * 1024 * 1024
MAX_INSTANCES = 256
MAX_CHARS = 20_000
_MAX_IMAGES = 32


@dataclass(frozen=True, slots=True)
class Instance:
    """One item of a request, with the caller's id when there is one."""

    item: Item
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The items; `single` when the caller used the recipe's form."""

    instances: list[Instance]
    single: bool


def parse_predict_request(body: Fields) -> PredictRequest:
    """Raises a ProblemError 400 or 413 that names the field."""
    if "instances" in body.values:
        values = body.items("instances", most=MAX_INSTANCES)
        instances = [_instance(value, f"instances[{i}]") for i, value in enumerate(values)]
        if sum(isinstance(instance.item, bytes) for instance in instances) > _MAX_IMAGES:
            raise invalid("instances", f"holds more than {_MAX_IMAGES} pictures")
        return PredictRequest(instances, single=False)
    if "text" not in body.values:
        raise invalid("instances", 'is required (or "text" for a single text)')
    return PredictRequest([Instance(_text(body.values["text"], "text"))], single=True)


def _instance(value: object, path: str) -> Instance:
    if isinstance(value, str):
        return Instance(_text(value, path))
    fields = as_fields(value, path)
    identity = fields.optional_text("id")
    if "image" in fields.values:
        return Instance(_picture(fields.child("image")), identity)
    return Instance(_text(fields.values.get("text"), fields.path("text")), identity)


def _picture(fields: Fields) -> bytes:
    encoded = fields.text("b64", max_chars=BODY_LIMIT)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(fields.path("b64"), "is not base64") from error


def _text(value: object, path: str) -> str:
    if value is None:
        raise invalid(path, "is required")
    text = checked_text(value, path, max_chars=MAX_CHARS)
    if is_blank(text):
        raise invalid(path, "must not be blank")
    return text


async def predict(engine: Engine, clock: Clock, request: PredictRequest) -> JsonObject:
    """The answer; an instance that has none has its error among the others.

    Raises a ProblemError 429 when the queue is full, and the first instance's where none has an answer.
    """
    began = clock.monotonic()
    found = await engine.predict([instance.item for instance in request.instances])
    answers = [answer for answer in found.answers if isinstance(answer, Prediction)]
    if not answers:
        raise next(answer for answer in found.answers if isinstance(answer, ProblemError))
    if request.single:
        elapsed = round(clock.monotonic() - began, 6)
        return _recipe_answer(engine, len(request.instances[0].item), answers[0], elapsed)
    return {
        "predictions": [
            {**({} if one.identity is None else {"id": one.identity}), **answer_json(answer)}
            for one, answer in zip(request.instances, found.answers, strict=True)
        ],
        "model": engine.model,
        "device": engine.device.label,
        "timings_ms": {"queue": found.queue_ms, "inference": found.inference_ms},
    }


def _recipe_answer(engine: Engine, length: int, answer: Prediction, elapsed_s: float) -> JsonObject:
    return {
        "prediction": list(answer.scores.values()),
        "labels": list(engine.labels),
        "label": answer.label,
        "confidence": answer.scores[answer.label],
        "device_used": engine.device.label,
        "inference_time_seconds": elapsed_s,
        "input_length": length,
    }
