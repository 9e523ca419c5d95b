"""Time series from samples: one for each set of labels, its points newest first.

A count has a point for each minute in which something was counted, a distribution one with the values
of that minute; minutes are counted back from the end of what is asked for. Points of a gauge are its
samples.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpupipe.localcloud.kernel.metrics import Descriptor, Metrics, Sample

Value = float | tuple[float, ...]
"""A number, or the values of a distribution."""
MINUTE_S = 60.0


def label_of(field: str) -> str:
    """The name of a label in its field's path: X of `resource.label."X"`."""
    return field.partition(".")[2].partition(".")[2].strip('"')


@dataclass(frozen=True, slots=True)
class Point:
    """What was so in a time; of a gauge `start` is `end`."""

    start: datetime
    end: datetime
    value: Value


@dataclass(frozen=True, slots=True)
class Series:
    """kind and value are those that the points have by now, whatever the metric's are."""

    metric: Descriptor
    kind: str
    value: str
    labels: Mapping[str, str]
    resource: str
    resource_labels: Mapping[str, str]
    points: tuple[Point, ...]

    def label(self, field: str) -> str:
        """The value of "metric.labels.X", "resource.label.X", "resource.type" or "project"."""
        if field == "project":
            return self.resource_labels.get("project_id", "")
        if field == "resource.type":
            return self.resource
        labels = self.labels if field.startswith("metric.") else self.resource_labels
        return labels.get(label_of(field), "")


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is asked for: later than `since`, not later than `until`."""

    since: datetime
    until: datetime

    def slot(self, at: datetime, period_s: float) -> int:
        """Which of the periods before `until` a time is in; 0 is the last one."""
        return int((self.until - at).total_seconds() // period_s)

    def period(self, slot: int, period_s: float) -> tuple[datetime, datetime]:
        """Begin and end of a slot."""
        end = self.until - timedelta(seconds=slot * period_s)
        return end - timedelta(seconds=period_s), end


def read(
    metrics: Metrics,
    project: str,
    metric: Descriptor,
    wanted: Callable[[Sample], bool],
    window: Window,
) -> list[Series]:
    """The series of a metric with at least one point in the window, in the order of their labels."""
    found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in metrics.samples(project, metric.type, window.since, window.until):
        if wanted(sample):
            own = {f"m {key}": value for key, value in sample.labels.items()}
            key = {**own, **sample.resource_labels, "r": sample.resource}
            found.setdefault(tuple(sorted(key.items())), []).append(sample)
    return [_series(metric, samples, window) for _, samples in sorted(found.items())]


def _series(metric: Descriptor, samples: list[Sample], window: Window) -> Series:
    first = samples[0]
    points = _gauge(samples) if metric.kind == "GAUGE" else _counted(metric, samples, window)
    return Series(
        metric,
        metric.kind,
        metric.value,
        first.labels,
        first.resource,
        first.resource_labels,
        tuple(sorted(points, key=lambda point: point.end, reverse=True)),
    )


def _gauge(samples: Iterable[Sample]) -> list[Point]:
    return [Point(sample.at, sample.at, sample.value) for sample in samples]


def _counted(metric: Descriptor, samples: Iterable[Sample], window: Window) -> list[Point]:
    slots: dict[int, list[float]] = {}
    for sample in samples:
        slots.setdefault(window.slot(sample.at, MINUTE_S), []).append(sample.value)
    whole = tuple if metric.value == "DISTRIBUTION" else sum
    return [Point(*window.period(slot, MINUTE_S), whole(values)) for slot, values in slots.items()]
