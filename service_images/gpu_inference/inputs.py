"""What a model's inputs are made from: texts become windows of ids, pictures become arrays.

Contract: `rows` turns one item of a request into the rows that are scored for it, at least one; it
blocks and may be called from several threads. An item that is not of the model's kind is a
ProblemError 415, one that is too large or broken a ProblemError of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from common.problems import ProblemError
from gpu_inference.windows import Encoder

Item = str | bytes
"""A text, or the bytes of a PNG or JPEG picture."""
Array = npt.NDArray[np.float32]
Row = list[int] | Array
# English has about 4 characters to a token; only the queue's length is reckoned with this.
_CHARS_OF_A_WINDOW = 1000
_WARM_UP = "The first inference is the slow one."


class Inputs(Protocol):
    """Items to rows, for one model."""

    def rows(self, item: Item) -> Sequence[Row]:
        """The rows of an item. Raises a ProblemError."""

    def weight(self, item: Item) -> int:
        """How many rows an item will have, about, without making them."""

    def samples(self) -> Sequence[tuple[str, Row]]:
        """Rows for the first inferences, each with what it is."""


@dataclass(frozen=True, slots=True)
class TextInputs:
    """For a model of texts."""

    encoder: Encoder
    model: str

    def rows(self, item: Item) -> Sequence[Row]:
        """The windows of a text."""
        if isinstance(item, bytes):
            raise other_kind(self.model, "texts", "a picture")
        return self.encoder.windows(item)

    def weight(self, item: Item) -> int:
        """One for each 1,000 characters."""
        return 1 + len(item) // _CHARS_OF_A_WINDOW

    def samples(self) -> Sequence[tuple[str, Row]]:
        """A short text, and what fails where the graph was made for a smaller vocabulary."""
        last = self.encoder.last_entry()
        return [
            ("a text", self.encoder.windows(_WARM_UP)[0]),
            ("the vocabulary's last entry", last),
        ]


def other_kind(model: str, takes: str, given: str) -> ProblemError:
    """The refusal of an item that the model does not take."""
    message = (
        f"the item is {given}; the model {model} takes {takes} only. "
        "Send such files to a pipeline whose model takes them, or use another model here"
    )
    return ProblemError(
        415, "not_the_models_kind", message, details={"model": model, "takes": takes}
    )
