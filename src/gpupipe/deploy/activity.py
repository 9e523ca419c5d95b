"""What a pipeline does just now: its rates, latencies, instances, GPU and waiting events.

Executions are counted one by one, without those of canary files. What services do comes from Cloud
Monitoring, which knows no files: requests of canaries and health checks are among theirs. Google's
metrics are up to a few minutes late. What cannot be read is None, and `notes` says why.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.dashboards import Query
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.metrics import Series
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy.canary import PREFIX as CANARY
from gpupipe.deploy.carriers import trigger_location
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World
from gpupipe.deploy.tally import percentile

T = TypeVar("T")
WINDOW_S = 600
MOST_ACTIVE = 10_000
"""More executions that run or wait are not counted."""
_MOST_ENDED = 1000
_NEWEST = 50
# A gauge has a point a minute, which may come some minutes late.
_FRESH = timedelta(minutes=5)
_TOGETHER = timedelta(seconds=59)
_RUN = "run.googleapis.com"
_SERVICE, _CLASS = "resource.label.service_name", "metric.label.response_code_class"


@dataclass(frozen=True, slots=True)
class Runs:
    """The workflow's executions: those that run or wait now, and those that ended in the window.

    p50_s, p95_s: how long these took, None where none ended. canaries: how many of canary files ended
    besides. newest: the last ones, the newest first.
    """

    active: int
    queued: int
    succeeded: int
    failed: int
    cancelled: int
    p50_s: float | None
    p95_s: float | None
    canaries: int
    newest: tuple[Execution, ...]

    @property
    def ended(self) -> int:
        """How many ended in the window."""
        return self.succeeded + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Work:
    """A service in the window: its requests, those answered with 4xx and 5xx, latencies, and its instances.

    active: the instances that are at a request.
    """

    service: str
    requests: int
    refused: int
    errors: int
    p50_s: float | None
    p95_s: float | None
    instances: int
    active: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """Shares from 0 to 1: of its time that the GPU worked, and of its memory that was in use."""

    p50: float
    p95: float
    memory_p95: float | None


@dataclass(frozen=True, slots=True)
class Activity:
    """All of it, at a time. gpu: None where no device is measured."""

    at: datetime
    runs: Runs | None
    work: tuple[Work, ...] | None
    gpu: Gpu | None
    undelivered: int | None
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Notes:
    """Reads what may not be readable, and keeps why."""

    why: dict[str, None] = field(default_factory=dict)

    def tried(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except GpupipeError as error:
            self.why[f"{error.brief} {error.details or ''}".strip()] = None
            return None


def activity(world: World, now: datetime) -> Activity:
    """Read all of it; all reads run at once."""
    notes, cloud, spec = _Notes(), world.cloud, world.spec
    since = now - timedelta(seconds=WINDOW_S)
    runs = world.meanwhile(lambda: notes.tried(lambda: _runs(world, since, now)))
    work = world.meanwhile(lambda: notes.tried(lambda: _work(world, since, now)))
    device = world.meanwhile(lambda: notes.tried(lambda: gpu(cloud, spec, since, now)))
    subscription = world.meanwhile(lambda: notes.tried(lambda: _subscription(world)))
    counted = runs(), work(), device()
    waiting = notes.tried(lambda: _undelivered(world, subscription() or ""))
    return Activity(now, *counted, waiting, tuple(notes.why))


def _runs(world: World, since: datetime, until: datetime) -> Runs:
    api, workflow = world.cloud.executions, world.spec.workflow_name
    newest = world.meanwhile(lambda: api.newest(workflow, _NEWEST))
    active = world.meanwhile(lambda: api.count(workflow, "ACTIVE", MOST_ACTIVE))
    queued = world.meanwhile(lambda: api.count(workflow, "QUEUED", MOST_ACTIVE))
    found = list(islice(api.ended_since(workflow, since), _MOST_ENDED))
    ended = [one for one in found if not _is_canary(one)]
    counts = Counter(one.state for one in ended)
    if len(found) == _MOST_ENDED:
        counts = _counted(world, since, until)
    took = sorted(
        (one.ended - one.started).total_seconds() for one in ended if one.ended and one.started
    )
    canaries = Counter(one.state for one in newest() if _is_canary(one))
    return Runs(
        active=max(0, active() - canaries["ACTIVE"]),
        queued=max(0, queued() - canaries["QUEUED"]),
        succeeded=counts["SUCCEEDED"],
        failed=counts["FAILED"],
        cancelled=counts["CANCELLED"],
        p50_s=percentile(took, 50) if took else None,
        p95_s=percentile(took, 95) if took else None,
        canaries=len(found) - len(ended),
        newest=tuple(one for one in newest() if not _is_canary(one)),
    )


def _is_canary(one: Execution) -> bool:
    return one.file.startswith(CANARY)


def _counted(world: World, since: datetime, until: datetime) -> Counter[str]:
    """By state, of more than can be read one by one: a canary among them does not matter then."""
    query = Query(
        'metric.type="workflows.googleapis.com/finished_execution_count" '
        'resource.type="workflows.googleapis.com/Workflow" '
        f'resource.label.workflow_id="{world.spec.names.workflow}"',
        "ALIGN_DELTA",
        "REDUCE_SUM",
        ("metric.label.status",),
        period_s=WINDOW_S,
    )
    found = world.cloud.metrics.series(world.spec.names.project, query, since, until)
    return Counter({one.labels.get("status", ""): round(_sum(one)) for one in found})


def _work(world: World, since: datetime, until: datetime) -> tuple[Work, ...]:
    """Of every service, whether it had requests or not."""
    api, spec = world.cloud.metrics, world.spec

    def read(query: Query) -> Callable[[], tuple[Series, ...]]:
        return world.meanwhile(lambda: api.series(spec.names.project, query, since, until))

    count = read(_over(spec, "request_count", "REDUCE_SUM", _SERVICE, _CLASS))
    p50 = read(_over(spec, "request_latencies", "REDUCE_PERCENTILE_50", _SERVICE))
    p95 = read(_over(spec, "request_latencies", "REDUCE_PERCENTILE_95", _SERVICE))
    classes = {
        (one.labels.get("service_name", ""), one.labels.get("response_code_class", "")): _sum(one)
        for one in count()
    }
    median, slow = _seconds(p50()), _seconds(p95())
    up = _newest_gauges(_gauge(world, _of(spec, "container/instance_count")))
    return tuple(
        Work(
            service=service,
            requests=round(sum(number for (of, _), number in classes.items() if of == name)),
            refused=round(classes.get((name, "4xx"), 0)),
            errors=round(classes.get((name, "5xx"), 0)),
            p50_s=median.get(name),
            p95_s=slow.get(name),
            instances=round(sum(up.get(name, {}).values())),
            active=round(up.get(name, {}).get("active", 0)),
        )
        for service in SERVICES
        for name in (spec.names.service(service),)
    )


def _seconds(found: Iterable[Series]) -> Mapping[str, float]:
    """By service; the metric is in milliseconds."""
    return {
        one.labels.get("service_name", ""): one.points[0].value / 1000
        for one in found
        if one.points
    }


def _newest_gauges(found: Iterable[Series]) -> Mapping[str, Mapping[str, float]]:
    """Service -> state -> instances of all revisions, at the service's newest minute."""
    by_service: dict[str, list[Series]] = {}
    for one in found:
        if one.points:
            by_service.setdefault(one.labels.get("service_name", ""), []).append(one)
    gauges: dict[str, Counter[str]] = {}
    for service, ones in by_service.items():
        newest = max(one.points[0].end for one in ones)
        counted: Counter[str] = Counter()
        for one in ones:
            if newest - one.points[0].end <= _TOGETHER:
                counted[one.labels.get("state", "")] += round(one.points[0].value)
        gauges[service] = counted
    return gauges


def gpu(cloud: Cloud, spec: PipelineSpec, since: datetime, until: datetime) -> Gpu | None:
    """What its metrics say of a time, as one; None without any point, or where no GPU is wanted."""
    if spec.gpu("gpu-inference") is None:
        return None
    period_s = max(60, math.ceil((until - since).total_seconds()))
    begin = until - timedelta(seconds=period_s)

    def read(what: str, percent: int) -> float | None:
        metric = _of(spec, f"container/gpu/{what}", ("gpu-inference",))
        query = Query(metric, "ALIGN_DELTA", f"REDUCE_PERCENTILE_{percent}", period_s=period_s)
        found = cloud.metrics.series(spec.names.project, query, begin, until)
        return next((one.points[0].value for one in found if one.points), None)

    p50 = read("utilizations", 50)
    if p50 is None:
        return None
    p95 = read("utilizations", 95)
    return Gpu(p50, p50 if p95 is None else p95, read("memory_utilizations", 95))


def _subscription(world: World) -> str:
    """The id of the trigger's; "" where there is none."""
    found = world.cloud.eventarc.get(world.spec.trigger(trigger_location(world)).name)
    return found.subscription.rpartition("/")[2] if found else ""


def _undelivered(world: World, subscription: str) -> int | None:
    """Events that no execution has taken yet; None where no subscription is measured."""
    if not subscription:
        return None
    wanted = (
        'metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages" '
        f'resource.type="pubsub_subscription" resource.label.subscription_id="{subscription}"'
    )
    found = _gauge(world, wanted)
    return next((round(one.points[0].value) for one in found if one.points), None)


def _gauge(world: World, wanted: str) -> tuple[Series, ...]:
    """The points of the last minutes, until this moment: a cloud may measure when it is asked."""
    now = world.cloud.caller.clock.now()
    project = world.spec.names.project
    return world.cloud.metrics.series(project, Query(wanted, "", ""), now - _FRESH, now)


def _over(spec: PipelineSpec, metric: str, reducer: str, *fields: str) -> Query:
    """The whole window as one period."""
    return Query(_of(spec, metric), "ALIGN_DELTA", reducer, fields, period_s=WINDOW_S)


def _of(spec: PipelineSpec, metric: str, services: Sequence[str] = SERVICES) -> str:
    names = ",".join(f'"{spec.names.service(service)}"' for service in services)
    return (
        f'metric.type="{_RUN}/{metric}" resource.type="cloud_run_revision" '
        f'resource.label.location="{spec.names.region}" '
        f"resource.label.service_name=one_of({names})"
    )


def _sum(one: Series) -> float:
    return sum(point.value for point in one.points)
