"""Whether a condition of an alert policy is met now, for each series that it looks at.

A threshold is violated by the newest aligned point and by all before it, without another one in between,
for at least the condition's duration. Without a newest point nothing is known ("silent"), unless
the condition says what missing data mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from google.cloud import monitoring_v3 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring import filters
from gpupipe.localcloud.services.monitoring.alignment import aggregated
from gpupipe.localcloud.services.monitoring.series import MINUTE_S, Series, Window, read

_DAY = timedelta(days=1)
_MISSING = pb.AlertPolicy.Condition.EvaluationMissingData
_ACTIVE = int(_MISSING.EVALUATION_MISSING_DATA_ACTIVE)
_INACTIVE = int(_MISSING.EVALUATION_MISSING_DATA_INACTIVE)
_GREATER = int(pb.ComparisonType.COMPARISON_GT)


@dataclass(frozen=True, slots=True)
class Finding:
    """met: None where there is no newest point. value: of the newest one, 0 where there is none."""

    labels: Mapping[str, str]
    resource_labels: Mapping[str, str]
    met: bool | None
    value: float


def findings(kernel: Kernel, project: str, condition: Any, now: datetime) -> list[Finding]:
    """One for each series; as many must be met as the condition's trigger says, else none is."""
    kind = condition.WhichOneof("condition")
    test = getattr(condition, kind)
    look = _Look(kernel, project, now)
    found = look.threshold(test) if kind == "condition_threshold" else look.absence(test)
    met = sum(one.met is True for one in found)
    if met >= _needed(test.trigger, len(found)):
        return found
    return [replace(one, met=False) if one.met else one for one in found]


def _needed(trigger: Any, series: int) -> int:
    if trigger.WhichOneof("type") == "percent":
        return max(1, math.ceil(series * float(trigger.percent) / 100))
    return max(1, int(trigger.count))


@dataclass(frozen=True, slots=True)
class _Look:
    kernel: Kernel
    project: str
    now: datetime

    def threshold(self, test: Any) -> list[Finding]:
        period_s = _period(test.aggregations)
        duration_s = float(test.duration.seconds)
        long = timedelta(seconds=2 * (duration_s + period_s))
        # Where silence counts, a series that has fallen silent is known for a day.
        counts = test.evaluation_missing_data == _ACTIVE
        window = Window(self.now - (max(long, _DAY) if counts else long), self.now)
        found = self._series(test.filter, test.aggregations, window)
        values = {_key(one): _slots(one, window, period_s) for one in found}
        if test.denominator_filter:
            whole = self._series(test.denominator_filter, test.denominator_aggregations, window)
            values = _ratios(values, {_key(one): _slots(one, window, period_s) for one in whole})
        judge = _Judge(test, math.ceil(duration_s / period_s))
        return [
            Finding(one.labels, one.resource_labels, judge(slots), slots.get(0, 0.0))
            for one in found
            for slots in (values[_key(one)],)
        ]

    def absence(self, test: Any) -> list[Finding]:
        window = Window(self.now - _DAY, self.now)
        oldest = self.now - timedelta(seconds=test.duration.seconds)
        return [
            Finding(one.labels, one.resource_labels, one.points[0].end <= oldest, 0.0)
            for one in self._series(test.filter, test.aggregations, window)
        ]

    def _series(self, text: str, steps: Sequence[Any], window: Window) -> list[Series]:
        metric, wanted = filters.selector(text, "filter")
        descriptor = self.kernel.metrics.descriptor(self.project, metric)
        if descriptor is None:  # of an API that is not emulated, or deleted since
            return []
        found = read(self.kernel.metrics, self.project, descriptor, wanted, window)
        for step in steps:
            found = aggregated(found, step, window)
        return found


@dataclass(frozen=True, slots=True)
class _Judge:
    test: Any
    last: int
    """The slot to which a violation must reach back."""

    def __call__(self, slots: Mapping[int, float]) -> bool | None:
        missing = self.test.evaluation_missing_data
        if missing == _ACTIVE:
            newest = range(max(1, self.last))
            return all(slot not in slots or self._violates(slots[slot]) for slot in newest)
        if 0 not in slots:
            return False if missing == _INACTIVE else None
        reached = -1
        for slot in sorted(slots):
            if not self._violates(slots[slot]):
                break
            reached = slot
        return reached >= self.last

    def _violates(self, value: float) -> bool:
        limit: float = self.test.threshold_value
        return value > limit if self.test.comparison == _GREATER else value < limit


def _period(steps: Sequence[Any]) -> float:
    periods = [step.alignment_period.ToNanoseconds() / 1e9 for step in steps]
    return max(periods, default=0.0) or MINUTE_S


def _slots(series: Series, window: Window, period_s: float) -> dict[int, float]:
    """The newest value of each slot; of a distribution the mean."""
    found: dict[int, float] = {}
    for point in series.points:
        value = point.value
        number = sum(value) / len(value) if isinstance(value, tuple) else value
        found.setdefault(window.slot(point.end, period_s), number)
    return found


def _key(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({**series.resource_labels, **series.labels}.items()))


Slots = Mapping[tuple[tuple[str, str], ...], Mapping[int, float]]


def _ratios(parts: Slots, wholes: Slots) -> dict[tuple[tuple[str, str], ...], dict[int, float]]:
    """Where something was counted and nothing of the part, the part is 0."""
    return {
        key: {
            slot: part.get(slot, 0.0) / whole
            for slot, whole in wholes.get(key, {}).items()
            if whole
        }
        for key, part in parts.items()
    }
