"""Counts outcomes of files, however many: a few numbers for each file, and no names but examples."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpupipe.deploy.follow import STAGES, Outcome

GOOD = frozenset({"succeeded", "superseded", "sent", "started"})
"""States of files for which a command that sent them ends well."""
_REASONS = 20
_EXAMPLES = 3


@dataclass(slots=True)
class Reason:
    """Why files have no result: how many, and the first of them."""

    error_class: str
    text: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Tally:
    """What became of files, in numbers."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self._seconds: dict[str, array[float]] = {}
        self._reasons: dict[tuple[str, str], Reason] = {}

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.states[outcome.state] += 1
        if outcome.state == "succeeded":
            # A file of many items has a sentence in place of a label.
            self.labels[outcome.label if outcome.score is not None else "several items"] += 1
        for stage, seconds in outcome.seconds.items():
            self._seconds.setdefault(stage, array("f")).append(seconds)
        if outcome.state not in GOOD:
            self._count_reason(outcome)

    def _count_reason(self, outcome: Outcome) -> None:
        key = (outcome.error_class, outcome.reason or outcome.state)
        if key not in self._reasons and len(self._reasons) >= _REASONS:
            key = ("", "other reasons")
        reason = self._reasons.setdefault(key, Reason(*key))
        reason.count += 1
        if len(reason.examples) < _EXAMPLES:
            reason.examples.append(outcome.sent.object.name)

    @property
    def files(self) -> int:
        """How many outcomes were counted."""
        return self.states.total()

    @property
    def well(self) -> bool:
        """Whether nothing failed and nothing is missing."""
        return self.states.keys() <= GOOD

    @property
    def reasons(self) -> Sequence[Reason]:
        """The most frequent first."""
        return sorted(self._reasons.values(), key=lambda one: -one.count)

    def seconds(self) -> dict[str, tuple[float, float]]:
        """By stage, where known: the median and the 95th percentile."""
        return {
            stage: (percentile(ordered, 50), percentile(ordered, 95))
            for stage in STAGES
            if (ordered := sorted(self._seconds.get(stage, ())))
        }


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest rank of values that are in order, of which there is at least one."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]
