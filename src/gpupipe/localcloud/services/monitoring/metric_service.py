"""google.monitoring.v3.MetricService: what was measured, and which metrics there are."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from google.api.distribution_pb2 import Distribution
from google.api.metric_pb2 import MetricDescriptor
from google.cloud import monitoring_v3 as pb

from gpupipe.localcloud.errors import invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.filters import Comparison, holds, parse
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.metrics import Descriptor
from gpupipe.localcloud.services.monitoring import aggregations, filters
from gpupipe.localcloud.services.monitoring.alignment import aggregated
from gpupipe.localcloud.services.monitoring.names import project_of
from gpupipe.localcloud.services.monitoring.series import Point, Series, Window, read
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

_FULL = int(pb.ListTimeSeriesRequest.TimeSeriesView.FULL)
_MOST_DESCRIPTORS, _MOST_SERIES = 10_000, 100_000  # ListMetricDescriptors, ListTimeSeries
_STARTS = 'starts_with("'
# Powers of two from a tenth of a percent: for shares as well as for milliseconds.
_BOUNDS = tuple(2.0**power for power in range(-10, 20))


class MetricService:
    """ListTimeSeries, ListMetricDescriptors, GetMetricDescriptor."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def list(self, request: Any, _: Call) -> Any:
        """ListTimeSeries; what only has a present is sampled before it is read."""
        project = project_of(self._kernel.projects, request.name, "name").id
        window = _window(request.interval)
        if request.HasField("aggregation"):
            aggregations.check(request.aggregation, "aggregation", aggregations.CHART_MOST_S)
        metric, wanted = filters.selector(request.filter, "filter")
        descriptor = self._kernel.metrics.descriptor(project, metric)
        if descriptor is None:
            raise not_found(filters.unknown(metric))
        self._kernel.metrics.sample()
        found = read(self._kernel.metrics, project, descriptor, wanted, window)
        found = aggregated(found, request.aggregation, window)
        page, token = page_of(
            list(enumerate(found)),
            lambda one: f"{one[0]:09}",
            request.page_size,
            request.page_token,
            most=_MOST_SERIES,
        )
        full = request.view == _FULL
        return raw(pb.ListTimeSeriesResponse)(
            time_series=[_message(one, full=full) for _, one in page], next_page_token=token
        )

    def descriptors(self, request: Any, _: Call) -> Any:
        """ListMetricDescriptors, by type; of filters those on metric.type."""
        project = project_of(self._kernel.projects, request.name, "name")
        found = self._kernel.metrics.descriptors(project.id)
        page, token = page_of(
            [one for one in found if _is_wanted(one.type, request.filter)],
            lambda one: one.type,
            request.page_size,
            request.page_token,
            most=_MOST_DESCRIPTORS,
        )
        return raw(pb.ListMetricDescriptorsResponse)(
            metric_descriptors=[_descriptor(one, project.name) for one in page],
            next_page_token=token,
        )

    def get(self, request: Any, _: Call) -> Any:
        """GetMetricDescriptor."""
        owner, _, metric = request.name.partition("/metricDescriptors/")
        project = project_of(self._kernel.projects, owner, "name")
        found = self._kernel.metrics.descriptor(project.id, metric)
        if found is None:
            raise not_found(filters.unknown(metric))
        return _descriptor(found, project.name)


def _window(interval: Any) -> Window:
    """Of an interval without a start its end alone is wanted."""
    path = "interval"
    if not interval.HasField("end_time"):
        raise invalid_argument("The interval has no end_time.", f"{path}.end_time")
    try:
        until = interval.end_time.ToDatetime(tzinfo=UTC)
        since = interval.start_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid_argument("The interval has a time that is none.", path) from error
    if not interval.HasField("start_time"):
        since = until
    if since > until:
        raise invalid_argument("The interval ends before it starts.", f"{path}.start_time")
    return Window(since, until)


def _is_wanted(metric: str, text: str) -> bool:
    """Whether a metric.type fits; `= starts_with("X")` and `: "X"` are the usual ways to ask."""

    def fits(one: Comparison) -> bool:
        if one.field != "metric.type" or one.operator not in {"=", ":"}:
            raise unimplemented(f"{one.field}{one.operator} in a filter of metric descriptors")
        if one.value.startswith(_STARTS):
            return metric.startswith(one.value.removeprefix(_STARTS).removesuffix('")'))
        return metric == one.value if one.operator == "=" else one.value in metric

    return holds(parse(filters.calls_as_values(text, "filter")), fits)


def _message(series: Series, *, full: bool) -> Any:
    message = raw(pb.TimeSeries)(
        metric={"type": series.metric.type, "labels": series.labels},
        resource={"type": series.resource, "labels": series.resource_labels},
        metric_kind=MetricDescriptor.MetricKind.Value(series.kind),
        value_type=MetricDescriptor.ValueType.Value(series.value),
        unit=series.metric.unit,
    )
    for point in series.points if full else ():
        _add(message, series, point)
    return message


def _add(message: Any, series: Series, point: Point) -> None:
    made = message.points.add()
    made.interval.start_time.FromDatetime(point.start)
    made.interval.end_time.FromDatetime(point.end)
    if isinstance(point.value, tuple):
        bounds = series.metric.bounds or _BOUNDS
        made.value.distribution_value.CopyFrom(_distribution(point.value, bounds))
    elif series.value == "INT64":
        made.value.int64_value = int(point.value)
    else:
        made.value.double_value = point.value


def _distribution(values: Sequence[float], bounds: Sequence[float]) -> Distribution:
    mean = sum(values) / len(values)
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[sum(value >= bound for bound in bounds)] += 1
    return Distribution(
        count=len(values),
        mean=mean,
        sum_of_squared_deviation=sum((value - mean) ** 2 for value in values),
        bucket_options={"explicit_buckets": {"bounds": list(bounds)}},
        bucket_counts=counts,
    )


def _descriptor(one: Descriptor, project: str) -> MetricDescriptor:
    return MetricDescriptor(
        name=f"{project}/metricDescriptors/{one.type}",
        type=one.type,
        metric_kind=MetricDescriptor.MetricKind.Value(one.kind),
        value_type=MetricDescriptor.ValueType.Value(one.value),
        unit=one.unit,
        description=one.description,
        labels=[{"key": label} for label in one.labels],
        monitored_resource_types=[one.resource] if one.resource else [],
    )
