"""Which alert policies fire, by the metrics and by the policies as they are in the cloud.

Cloud Monitoring's clients tell of no incidents, so each condition is looked at here as Cloud Monitoring
does: a threshold is violated by the newest period, and by all before it for as long as the condition says.
After the last data an incident stays open until it is closed by itself.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpupipe.cloud.alerts import AlertPolicy, Condition
from gpupipe.cloud.dashboards import Query
from gpupipe.cloud.metrics import Point
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.alerts import AUTO_CLOSE_S
from gpupipe.deploy.step import World

Group = tuple[tuple[str, str], ...]
"""The labels that a condition's series differ in."""
_EVERYWHERE = "project_id"


@dataclass(frozen=True, slots=True)
class Firing:
    """A policy and condition that are met, by which series, its newest value, and over which threshold."""

    policy: str
    condition: str
    labels: Mapping[str, str]
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Alerts:
    """How many policies are watched, and what fires; why: "", or why neither is known."""

    policies: int
    firing: tuple[Firing, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    met: bool
    value: float


def alerts(world: World, now: datetime) -> Alerts:
    """Read our policies and what they look at; all reads run at once."""
    try:
        return _alerts(world, now)
    except GpupipeError as error:
        return Alerts(0, (), error.brief)


def _alerts(world: World, now: datetime) -> Alerts:
    spec = world.spec
    found = world.cloud.alerts.labelled(spec.names.project, spec.identity)
    watched = [one for one in found if one.enabled]
    asked = [
        (one, [world.meanwhile(_look(world, one, condition, now)) for condition in one.conditions])
        for one in watched
    ]
    return Alerts(
        len(watched),
        tuple(
            firing
            for policy, looks in asked
            for firing in _firing(policy, [look() for look in looks])
        ),
    )


def _firing(policy: AlertPolicy, found: list[dict[Group, _Found]]) -> Iterator[Firing]:
    """With several conditions all must be met by the same series."""
    first, *others = found
    for group, one in first.items():
        rest = zip(policy.conditions[1:], others, strict=True)
        if one.met and all(_met(condition, ones, group) for condition, ones in rest):
            names = " and ".join(condition.name for condition in policy.conditions)
            threshold = policy.conditions[0].threshold
            yield Firing(policy.name, names, dict(group), one.value, threshold)


def _met(condition: Condition, ones: Mapping[Group, _Found], group: Group) -> bool:
    return ones[group].met if group in ones else condition.silence_counts


def _look(
    world: World, policy: AlertPolicy, one: Condition, now: datetime
) -> Callable[[], dict[Group, _Found]]:
    """What reads the series of a condition and judges each."""
    open_s = policy.auto_close_s or AUTO_CLOSE_S
    since = now - timedelta(seconds=open_s + one.duration_s + one.period_s)

    def read(which: str) -> dict[Group, tuple[Point, ...]]:
        query = Query(which, one.aligner, one.reducer, one.group_by, period_s=one.period_s)
        series = world.cloud.metrics.series(world.spec.names.project, query, since, now)
        return {_group(found.labels): found.points for found in series if found.points}

    def look() -> dict[Group, _Found]:
        found = read(one.filter)
        if one.denominator:
            found = _shares(found, read(one.denominator))
        judge = _silent if one.silence_counts else _lasting
        return {
            group: _Found(judge(one, points, now), points[0].value)
            for group, points in found.items()
        }

    return look


def _group(labels: Mapping[str, str]) -> Group:
    return tuple(sorted((key, value) for key, value in labels.items() if key != _EVERYWHERE))


def _shares(
    parts: Mapping[Group, tuple[Point, ...]], wholes: Mapping[Group, tuple[Point, ...]]
) -> dict[Group, tuple[Point, ...]]:
    """Where something was counted and nothing of the part, the part is 0."""
    found = {}
    for group, points in parts.items():
        part = {point.end: point.value for point in points}
        shares = tuple(
            Point(whole.end, part.get(whole.end, 0.0) / whole.value)
            for whole in wholes.get(group, ())
            if whole.value
        )
        if shares:
            found[group] = shares
    return found


def _lasting(one: Condition, points: tuple[Point, ...], now: datetime) -> bool:
    """Whether the newest period violates the threshold, and all before it for the duration."""
    del now
    periods = 1 + math.ceil(one.duration_s / one.period_s)
    oldest = points[0].end - timedelta(seconds=(periods - 1) * one.period_s)
    reaches = points[-1].end <= oldest
    return reaches and all(_violates(one, point) for point in points if point.end >= oldest)


def _silent(one: Condition, points: tuple[Point, ...], now: datetime) -> bool:
    """Whether nothing in the duration speaks against it."""
    begin = now - timedelta(seconds=one.duration_s)
    return all(_violates(one, point) for point in points if point.end > begin)


def _violates(one: Condition, point: Point) -> bool:
    return point.value < one.threshold if one.below else point.value > one.threshold
