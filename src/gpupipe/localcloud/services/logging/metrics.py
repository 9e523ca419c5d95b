"""google.logging.v2.MetricsServiceV2: metrics that log entries make, and what they made.

A metric counts the entries that came after it was made; the entries are looked at when somebody asks.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from google.api.metric_pb2 import MetricDescriptor
from google.cloud.logging_v2 import types
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import already_exists, invalid_argument, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.kernel.metrics import (
    ANY_RESOURCE,
    Descriptor,
    NothingSampled,
    Sample,
)
from gpupipe.localcloud.services.logging import metric_rules
from gpupipe.localcloud.services.logging.extractors import extractor
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.services.logging.metric_rules import TYPE, LogMetric
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_KIND = "logging.metric"
_NAME = re.compile(r"(projects/[^/]+)/metrics/([^/]+)")
_ALL = 1_000_000


class LogMetrics:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def create(self, request: Any, _: Call) -> Any:
        """CreateLogMetric; alert policies may name it once that has come to all places."""
        parent = self._project(request.parent, "parent")
        metric = LogMetric()
        metric.CopyFrom(request.metric)
        metric_rules.check(metric)
        name = _name(parent, metric.name)
        with self._kernel.database.transaction():
            if self._find(name) is not None:
                raise already_exists(f"Metric {metric.name} already exists.")  # own words
            metric.create_time.FromDatetime(self._kernel.clock.now())
            self._kernel.delays.begin(_KIND, name)
            return self._put(parent, metric)

    def get(self, request: Any, _: Call) -> Any:
        """GetLogMetric."""
        return self._existing(self._key(request.metric_name))

    def list(self, request: Any, _: Call) -> Any:
        """ListLogMetrics, by name."""
        parent = self._project(request.parent, "parent")
        page = self._kernel.resources.page(
            _KIND, parent, size=request.page_size, token=request.page_token
        )
        return raw(types.ListLogMetricsResponse)(
            metrics=[LogMetric.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
        )

    def update(self, request: Any, _: Call) -> Any:
        """UpdateLogMetric: the whole of it; one that is not there is made."""
        name = self._key(request.metric_name)
        parent = name.partition("/metrics/")[0]
        metric = LogMetric()
        metric.CopyFrom(request.metric)
        metric_rules.check(metric)
        if _name(parent, metric.name) != name:
            raise invalid_argument("The metric has another name.", "metric.name")
        with self._kernel.database.transaction():
            old, now = self._find(name), self._kernel.clock.now()
            if old is None:
                metric.create_time.FromDatetime(now)
                self._kernel.delays.begin(_KIND, name)
            else:
                metric_rules.check_update(old, metric)
                metric.create_time.CopyFrom(old.create_time)
            return self._put(parent, metric)

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteLogMetric."""
        name = self._key(request.metric_name)
        with self._kernel.database.transaction():
            self._existing(name)
            self._kernel.resources.delete(_KIND, name)
            self._kernel.delays.end(_KIND, name)
        return Empty()

    def _put(self, parent: str, metric: Any) -> Any:
        metric_rules.complete(metric, parent)
        metric.update_time.FromDatetime(self._kernel.clock.now())
        name = _name(parent, metric.name)
        self._kernel.resources.put(_KIND, name, parent, metric.SerializeToString())
        return metric

    def _find(self, name: str) -> Any:
        record = self._kernel.resources.get(_KIND, name)
        return None if record is None else LogMetric.FromString(record.body)

    def _existing(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise not_found(f"Metric {name} was not found.")  # own words
        return found

    def _key(self, name: str) -> str:
        """The name with the project's id, and the metric's id encoded as we do it."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise invalid_argument(
                f"Invalid name {name!r}: expected projects/PROJECT/metrics/ID.", "metric_name"
            )
        return _name(self._project(match[1], "metric_name"), unquote(match[2]))

    def _project(self, name: str, path: str) -> str:
        project = self._kernel.projects.get(name.removeprefix("projects/"))
        if project is None or not name.startswith("projects/"):
            raise invalid_argument(f"Invalid name {name!r}: expected projects/PROJECT.", path)
        return project.name


class LogMetricSource(NothingSampled):
    """A `Source`: what the log-based metrics of a project have made of its entries."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        """Those that have come to all places."""
        waiting = self._kernel.delays.waiting(_KIND)
        for name, metric in self._metrics(project):
            if name not in waiting:
                shown = metric.metric_descriptor
                yield Descriptor(
                    type=shown.type,
                    kind="DELTA",
                    value=MetricDescriptor.ValueType.Name(shown.value_type),
                    unit=shown.unit,
                    resource=ANY_RESOURCE,
                    labels=tuple(label.key for label in shown.labels),
                    description=shown.description,
                    bounds=metric_rules.bounds(metric),
                )

    def recorded(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterator[Sample]:
        """One for each entry that fits."""
        for _, one in self._metrics(project):
            if TYPE + one.name == metric and not one.disabled:
                made = one.create_time.ToDatetime(tzinfo=UTC)
                wanted = compiled(one.filter)
                found = self._kernel.logs.query(
                    project, since=max(since, made), until=until, limit=_ALL, where=wanted
                )
                yield from _samples(one, (entry for entry in found if entry.timestamp > since))

    def _metrics(self, project: str) -> Iterator[tuple[str, Any]]:
        for record in self._kernel.resources.all(_KIND, f"projects/{project}"):
            yield record.name, LogMetric.FromString(record.body)


def _samples(metric: Any, entries: Iterable[LogEntry]) -> Iterator[Sample]:
    value = _value(metric.value_extractor)
    labels = {
        key: extractor(text, "metric.label_extractors")
        for key, text in metric.label_extractors.items()
    }
    for entry in entries:
        number = value(entry)
        if number is not None:
            resource = {"project_id": entry.project, **entry.resource_labels}
            own = {key: take(entry) or "" for key, take in labels.items()}
            yield Sample(
                TYPE + metric.name, entry.resource_type, resource, entry.timestamp, number, own
            )


def _value(text: str) -> Callable[[LogEntry], float | None]:
    """Of an entry: 1, or the number that is extracted, None where that is none."""
    if not text:
        return lambda _: 1.0
    take = extractor(text, "metric.value_extractor")

    def value(entry: LogEntry) -> float | None:
        try:
            return float(take(entry) or "")
        except ValueError:
            return None

    return value


def _name(parent: str, metric_id: str) -> str:
    return f"{parent}/metrics/{quote(metric_id, safe='')}"
