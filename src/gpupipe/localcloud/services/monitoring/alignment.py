"""Aligning and reducing series, as google.monitoring.v3.Aggregation has it.

Values of a distribution are kept as they are, so that percentiles are those of the values, where
Google's are taken from buckets.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.cloud import monitoring_v3 as pb

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.services.monitoring.series import Point, Series, Value, Window, label_of

_NUMBERS = frozenset({"INT64", "DOUBLE"})
_ANY = _NUMBERS | {"DISTRIBUTION"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """How values become one. takes: types of values; gives: the type of the result ("": the same).

    kinds: kinds of series that an aligner takes; kind: that of its result.
    """

    apply: Callable[[list[Value], float], Value]
    takes: frozenset[str]
    gives: str = ""
    kinds: frozenset[str] = frozenset({"GAUGE", "DELTA"})
    kind: str = "GAUGE"


def _flat(values: Iterable[Value]) -> list[float]:
    return [one for value in values for one in (value if isinstance(value, tuple) else (value,))]


def _together(values: list[Value], _: float) -> Value:
    """The sum; of distributions one of all their values."""
    flat = _flat(values)
    return tuple(flat) if isinstance(values[0], tuple) else sum(flat)


def _rate(values: list[Value], period_s: float) -> Value:
    return sum(_flat(values)) / period_s


def _mean(values: list[Value], _: float) -> Value:
    flat = _flat(values)
    return sum(flat) / len(flat)


def _percentile(percent: int) -> Callable[[list[Value], float], Value]:
    """The nearest rank."""

    def of(values: list[Value], _: float) -> Value:
        flat = sorted(_flat(values))
        return flat[max(0, math.ceil(percent / 100 * len(flat)) - 1)]

    return of


def _least(values: list[Value], _: float) -> Value:
    return min(_flat(values))


def _most(values: list[Value], _: float) -> Value:
    return max(_flat(values))


def _count(values: list[Value], _: float) -> Value:
    return float(len(values))


_DISTRIBUTIONS = frozenset({"DISTRIBUTION"})
_DELTAS = frozenset({"DELTA"})
_PERCENTS = (99, 95, 50, 5)
_ALIGNERS: Mapping[str, _Rule] = {
    "ALIGN_DELTA": _Rule(_together, _ANY, kinds=_DELTAS, kind="DELTA"),
    "ALIGN_RATE": _Rule(_rate, _NUMBERS, "DOUBLE", kinds=_DELTAS),
    "ALIGN_SUM": _Rule(_together, _ANY),
    "ALIGN_MEAN": _Rule(_mean, _ANY, "DOUBLE"),
    "ALIGN_MIN": _Rule(_least, _NUMBERS),
    "ALIGN_MAX": _Rule(_most, _NUMBERS),
    "ALIGN_COUNT": _Rule(_count, _ANY, "INT64"),
    **{
        f"ALIGN_PERCENTILE_{percent:02}": _Rule(_percentile(percent), _DISTRIBUTIONS, "DOUBLE")
        for percent in _PERCENTS
    },
}
_REDUCERS: Mapping[str, _Rule] = {
    "REDUCE_SUM": _Rule(_together, _ANY),
    "REDUCE_MEAN": _Rule(_mean, _ANY, "DOUBLE"),
    "REDUCE_MIN": _Rule(_least, _NUMBERS),
    "REDUCE_MAX": _Rule(_most, _NUMBERS),
    "REDUCE_COUNT": _Rule(_count, _ANY, "INT64"),
    **{
        f"REDUCE_PERCENTILE_{percent:02}": _Rule(_percentile(percent), _ANY, "DOUBLE")
        for percent in _PERCENTS
    },
}


def aggregated(series: Sequence[Series], aggregation: Any, window: Window) -> list[Series]:
    """The series aligned and reduced as the message says; UNIMPLEMENTED for what is not emulated."""
    aligner = pb.Aggregation.Aligner(aggregation.per_series_aligner).name
    reducer = pb.Aggregation.Reducer(aggregation.cross_series_reducer).name
    if aligner == "ALIGN_NONE":
        return list(series)
    period_s = aggregation.alignment_period.ToNanoseconds() / 1e9
    rule = _rule(_ALIGNERS, aligner)
    aligned = [_aligned(one, aligner, rule, period_s, window) for one in series]
    if reducer == "REDUCE_NONE":
        return aligned
    fields = tuple(aggregation.group_by_fields)
    return _reduced(aligned, reducer, fields)


def _rule(table: Mapping[str, _Rule], name: str) -> _Rule:
    if name not in table:
        raise unimplemented(f"{name} of an aggregation")
    return table[name]


def _aligned(series: Series, name: str, rule: _Rule, period_s: float, window: Window) -> Series:
    if series.value not in rule.takes or series.kind not in rule.kinds:
        raise invalid_argument(
            f"{name} cannot be applied to {series.metric.type}, which is a {series.kind} of "
            f"{series.value}.",
            "aggregation.per_series_aligner",
        )
    slots: dict[int, list[Value]] = {}
    for point in series.points:
        slots.setdefault(window.slot(point.end, period_s), []).append(point.value)
    points = []
    for slot, values in sorted(slots.items()):
        start, end = window.period(slot, period_s)
        begin = start if rule.kind == "DELTA" else end
        points.append(Point(begin, end, rule.apply(values, period_s)))
    value = rule.gives or series.value
    return replace(series, kind=rule.kind, value=value, points=tuple(points))


def _reduced(series: Sequence[Series], name: str, fields: tuple[str, ...]) -> list[Series]:
    rule = _rule(_REDUCERS, name)
    groups: dict[tuple[str, ...], list[Series]] = {}
    for one in series:
        if one.value not in rule.takes:
            raise invalid_argument(
                f"{name} cannot be applied to values of {one.value}.",
                "aggregation.cross_series_reducer",
            )
        groups.setdefault(tuple(one.label(field) for field in fields), []).append(one)
    return [_group(members, rule, fields) for _, members in sorted(groups.items())]


def _group(members: list[Series], rule: _Rule, fields: tuple[str, ...]) -> Series:
    first = members[0]
    at: dict[Any, list[Point]] = {}
    for one in members:
        for point in one.points:
            at.setdefault(point.end, []).append(point)
    points = [
        replace(found[0], value=rule.apply([point.value for point in found], 1.0))
        for _, found in sorted(at.items(), reverse=True)
    ]
    named = [(field.partition(".")[0], label_of(field)) for field in fields]
    kept = {kind: [label for of, label in named if of == kind] for kind in ("metric", "resource")}
    return replace(
        first,
        value=rule.gives or first.value,
        labels=_only(first.labels, kept["metric"]),
        resource_labels=_only(first.resource_labels, (*kept["resource"], "project_id")),
        points=tuple(points),
    )


def _only(labels: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    wanted = set(names)
    return {name: value for name, value in labels.items() if name in wanted}
