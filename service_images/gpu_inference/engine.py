"""Texts to predictions: encode, batch, score, average, name the label.

Contract: probabilities are rounded to 6 digits in float64; a long text is scored window by window
and averaged, nothing is truncated. A text that is too long is a failure of that text alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anyio import to_thread

from common.problems import JsonObject, ProblemError
from gpu_inference.batcher import Batcher
from gpu_inference.session import Device
from gpu_inference.windows import Encoder, Window, mean

DIGITS = 6
# English has about 4 characters to a token; only the queue's length is reckoned with this.
_CHARS_OF_A_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one text."""

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


@dataclass(frozen=True, slots=True)
class Predictions:
    """One answer or failure for each text, in order, and the time it took in milliseconds."""

    answers: list[Prediction | ProblemError]
    queue_ms: float
    inference_ms: float


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model behind its queue."""

    encoder: Encoder
    batcher: Batcher
    labels: tuple[str, ...]
    model: JsonObject
    device: Device

    async def predict(self, texts: Sequence[str]) -> Predictions:
        """Raises a ProblemError 429 when the queue is full."""
        with self.batcher.admit(sum(1 + len(text) // _CHARS_OF_A_WINDOW for text in texts)):
            encoded = await to_thread.run_sync(self._encode_all, texts)
            rows = [row for item in encoded if not isinstance(item, ProblemError) for row in item]
            if not rows:
                return Predictions([i for i in encoded if isinstance(i, ProblemError)], 0.0, 0.0)
            scored = await self.batcher.score(rows)
        found = iter(scored.rows)
        answers = [
            item
            if isinstance(item, ProblemError)
            else self._prediction([next(found) for _ in item])
            for item in encoded
        ]
        return Predictions(answers, scored.queue_ms, scored.inference_ms)

    def _encode_all(self, texts: Sequence[str]) -> list[list[Window] | ProblemError]:
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> list[Window] | ProblemError:
        try:
            return self.encoder.windows(text)
        except ProblemError as problem:
            return problem

    def _prediction(self, rows: list[list[float]]) -> Prediction:
        values = [round(value, DIGITS) for value in mean(rows)]
        scores = dict(zip(self.labels, values, strict=True))
        return Prediction(max(scores, key=scores.__getitem__), scores, len(rows))
