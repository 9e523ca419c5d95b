"""Cloud Monitoring: the time series of metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.dashboards import Query

_BILLED = "run.googleapis.com/container/billable_instance_time"


@dataclass(frozen=True, slots=True)
class Point:
    """A number, and the end of the time that it is of."""

    end: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """labels: those of metric and resource together; points: the newest first."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]


class MetricsApi(Api):
    """The one call that gpupipe needs of Cloud Monitoring's time series."""

    def series(
        self, project: str, query: Query, since: datetime, until: datetime
    ) -> tuple[Series, ...]:
        """What was measured later than `since`, not later than `until`; periods end at `until`.

        Numbers only: a distribution must be reduced to one. A query without an aligner gives the points as
        they are. None where the project has no such metric (yet).
        """
        name = f"projects/{project}"
        request: dict[str, Any] = {
            "name": name,
            "filter": query.filter,
            "interval": {"start_time": since, "end_time": until},
            "view": "FULL",
        }
        if query.aligner:
            request["aggregation"] = {
                "alignment_period": {"seconds": query.period_s},
                "per_series_aligner": query.aligner,
                "cross_series_reducer": query.reducer or "REDUCE_NONE",
                "group_by_fields": list(query.group_by),
            }
        method = self._client.list_time_series
        found = none_if_missing(lambda: self._all("Reading metrics", name, method, request))
        return tuple(_series(one) for one in found or ())

    def billed_seconds(
        self, project: str, region: str, service: str, since: datetime, until: datetime
    ) -> float:
        """Seconds for which instances of a service were billed, of all its revisions together."""
        wanted = (
            f'metric.type = "{_BILLED}" AND resource.type = "cloud_run_revision" AND '
            f'resource.labels.service_name = "{service}" AND resource.labels.location = "{region}"'
        )
        found = self.series(project, Query(wanted, "", ""), since, until)
        return sum(point.value for one in found for point in one.points)

    @property
    def _client(self) -> Any:
        return self._clients.client("metrics")


def _series(found: Any) -> Series:
    labels = {**dict(found.resource.labels), **dict(found.metric.labels)}
    return Series(labels, tuple(_points(found)))


def _points(found: Any) -> Iterator[Point]:
    for one in found.points:
        yield Point(one.interval.end_time, float(one.value.double_value or one.value.int64_value))
