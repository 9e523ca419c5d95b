"""A text as windows that the model can take.

Contract: no token is dropped. A text longer than the model's limit is cut into windows of equal
size (to one token), so that their mean weighs every token alike; a text of more than
`max_windows` windows is refused with a ProblemError 413 before all of it is tokenised.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Protocol

from common.problems import ProblemError

Window = list[int]


class Ids(Protocol):
    """A tokenizer, the markers that it wants around a window, and its largest id."""

    first: list[int]
    last: list[int]
    largest: int

    def ids(self, text: str) -> Iterator[int]:
        """The ids of a text, without markers."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Texts to windows of token ids with their markers."""

    tokenizer: Ids
    max_tokens: int
    max_windows: int

    def windows(self, text: str) -> list[Window]:
        """At least one window. Raises a ProblemError 413 for a text that is too long."""
        first, last = self.tokenizer.first, self.tokenizer.last
        room = self.max_tokens - len(first) - len(last)
        most = room * self.max_windows
        ids = list(islice(self.tokenizer.ids(text), most + 1))
        if len(ids) > most:
            raise ProblemError(
                413,
                "text_too_long",
                f"the text has more than {most} tokens; the model takes {self.max_windows} "
                f"windows of {room}",
                details={"token_limit": most, "window_limit": self.max_windows},
            )
        count = max(1, -(-len(ids) // room))
        edges = [len(ids) * number // count for number in range(count + 1)]
        return [[*first, *ids[start:end], *last] for start, end in pairwise(edges)]

    def last_entry(self) -> Window:
        """A window that holds the last entry of the vocabulary."""
        return [*self.tokenizer.first, self.tokenizer.largest, *self.tokenizer.last]


def mean(rows: Iterable[list[float]]) -> list[float]:
    """The mean of each column, in float64."""
    table = list(rows)
    return [sum(column) / len(table) for column in zip(*table, strict=True)]
