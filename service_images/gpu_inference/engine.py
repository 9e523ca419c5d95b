"""Items to predictions: make rows, batch, score, average, name the label.

Contract: probabilities are rounded to 6 digits in float64; a long text is scored window by window
and averaged, nothing is truncated. An item that is too long or broken, or for which the model has no number, is a
failure of that item alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anyio import to_thread

from common.items import Content, item_error
from common.problems import Blame, JsonObject, ProblemError
from gpu_inference.batcher import Batcher
from gpu_inference.inputs import Inputs, Row
from gpu_inference.session import Device
from gpu_inference.windows import mean

DIGITS = 6
# Less work than handing it to a thread; no picture is that small.
_INLINE_CHARS = 1000
_NO_NUMBER = "the model gives no number for the item; graphs in float16 do so where theirs overflow"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one item."""

    label: str
    scores: dict[str, float]
    windows: int

    def to_json(self) -> JsonObject:
        """The prediction as it travels and is stored."""
        return {
            "label": self.label,
            "score": self.scores[self.label],
            "scores": self.scores,
            "windows": self.windows,
            "truncated": False,
        }


def answer_json(answer: Prediction | ProblemError) -> JsonObject:
    """What is told of an item: the model's answer, or why there is none."""
    return {"error": item_error(answer)} if isinstance(answer, ProblemError) else answer.to_json()


@dataclass(frozen=True, slots=True)
class Predictions:
    """One answer or failure for each item, in order, and the time it took in milliseconds.

    batch: rows of the largest batch that they were in.
    """

    answers: list[Prediction | ProblemError]
    queue_ms: float
    inference_ms: float
    batch: int


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model behind its queue."""

    inputs: Inputs
    batcher: Batcher
    labels: tuple[str, ...]
    model: JsonObject
    device: Device

    async def predict(self, items: Sequence[Content], patience_s: float = 0.0) -> Predictions:
        """Answers in order; a problem among the items stays.

        Raises a ProblemError 429 when the queue is full and stays so for `patience_s`.
        """
        good = [item for item in items if not isinstance(item, ProblemError)]
        weight = sum(map(self.inputs.weight, good))
        async with self.batcher.admit(weight, patience_s):
            if sum(map(len, good)) <= _INLINE_CHARS:
                encoded = self._encode_all(items)
            else:
                encoded = await to_thread.run_sync(self._encode_all, items)
            rows = [row for item in encoded if not isinstance(item, ProblemError) for row in item]
            if not rows:
                return Predictions([i for i in encoded if isinstance(i, ProblemError)], 0.0, 0.0, 0)
            scored = await self.batcher.score(rows)
        found = iter(scored.rows)
        answers = [
            item
            if isinstance(item, ProblemError)
            else self._prediction([next(found) for _ in item])
            for item in encoded
        ]
        return Predictions(answers, scored.queue_ms, scored.inference_ms, scored.batch)

    def _encode_all(self, items: Sequence[Content]) -> list[Sequence[Row] | ProblemError]:
        return [self._encode(item) for item in items]

    def _encode(self, item: Content) -> Sequence[Row] | ProblemError:
        if isinstance(item, ProblemError):
            return item
        try:
            return self.inputs.rows(item)
        except ProblemError as problem:
            return problem

    def _prediction(self, rows: list[list[float]]) -> Prediction | ProblemError:
        means = mean(rows)
        if not all(map(math.isfinite, means)):
            return ProblemError(422, "no_scores", _NO_NUMBER, blame=Blame.SYSTEM)
        values = [round(value, DIGITS) for value in means]
        scores = dict(zip(self.labels, values, strict=True))
        return Prediction(max(scores, key=scores.__getitem__), scores, len(rows))
