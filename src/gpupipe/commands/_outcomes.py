"""What commands that follow files share: a line on the way, and the answer at the end."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from gpupipe.core.clock import Clock
from gpupipe.deploy.follow import Outcome, Sent
from gpupipe.deploy.tally import Tally
from gpupipe.render.console import say, talk
from gpupipe.render.pace import pace
from gpupipe.render.tally import print_tally, tally_json

FEW = 25
"""So many files get a row each; of more there is a summary."""


class Answer:
    """Outcomes as the answer needs them: all of a few, numbers of many; with `rows` all of many too."""

    def __init__(self, clock: Clock, total: int | None, *, rows: bool) -> None:
        """total: None where it is not known, which counts as many."""
        self.total = total
        self.tally = Tally()
        self._clock = clock
        self._began = clock.monotonic()
        self._rows: dict[str, Outcome] | None = {} if rows or self.few else None

    @property
    def few(self) -> bool:
        """Whether each file gets a row."""
        return self.total is not None and self.total <= FEW

    def add(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        self.tally.add(outcome)
        if self._rows is not None:
            self._rows[outcome.sent.path] = outcome

    def in_order(self, paths: Sequence[str]) -> list[Outcome]:
        """The outcomes in the order of these paths."""
        rows = self._rows or {}
        return [rows[path] for path in paths if path in rows]

    def summary(self) -> dict[str, Any]:
        """The numbers in their documented shape."""
        return tally_json(self.tally, self._seconds)

    def print_summary(self, console: Console, output_bucket: str) -> None:
        """The numbers for people."""
        print_tally(console, output_bucket, self.tally, self._seconds)

    @property
    def _seconds(self) -> float:
        return self._clock.monotonic() - self._began


def watched(
    coming: Iterator[Sent | Outcome], found: Answer, clock: Clock, begun: str
) -> Iterator[Outcome]:
    """The outcomes; on the way it is told how far they are.

    begun: the word for a file that is on its way.
    """
    console = talk()
    with pace(console, clock, found.total, begun) as view:
        for one in coming:
            if isinstance(one, Sent):
                view.begin()
                continue
            yield one
            view.end(one)
            if found.few:
                say(console, f"{found.tally.files} of {found.total}: {one.sent.path} {one.state}")
