"""Cloud Logging's log-based metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import API_USABLE
from gpupipe.cloud.errors import ApiError, is_code

# From a thousandth to a million in steps of 40 per cent.
_BUCKETS = {"num_finite_buckets": 62, "growth_factor": 1.4, "scale": 0.001}


@dataclass(frozen=True, slots=True)
class LogMetric:
    """A metric of the entries that fit `filter`.

    name: without the project. value: the field whose numbers make a distribution, "" where entries are
    counted; labels: label -> the field it is taken from.
    """

    name: str
    description: str
    filter: str
    value: str = ""
    unit: str = "1"
    labels: Mapping[str, str] | None = None


class LogMetricsApi(Api):
    """The calls that gpupipe needs of Cloud Logging's metrics."""

    def all(self, project: str) -> tuple[LogMetric, ...]:
        """The log-based metrics of a project."""
        parent = f"projects/{project}"
        method = self._client.list_log_metrics
        found = none_if_missing(
            lambda: self._all("Listing log metrics", parent, method, {"parent": parent})
        )
        return tuple(_metric(one) for one in found or ())

    def create(self, project: str, wanted: LogMetric) -> None:
        """Make a metric; one that an attempt whose answer was lost has made is set to what is wanted."""
        parent = f"projects/{project}"
        try:
            self._unary(
                "Creating a log metric",
                parent,
                self._client.create_log_metric,
                {"parent": parent, "metric": _message(wanted)},
                causes=(API_USABLE,),
            )
        except ApiError as error:
            if not is_code(error, "ALREADY_EXISTS"):
                raise
            self.update(project, wanted)

    def update(self, project: str, wanted: LogMetric) -> None:
        """Replace the metric of this name."""
        parent = f"projects/{project}"
        request = {"metric_name": f"{parent}/metrics/{wanted.name}", "metric": _message(wanted)}
        self._unary("Updating a log metric", parent, self._client.update_log_metric, request)

    def delete(self, project: str, name: str) -> None:
        """Delete a metric; one that is gone already is fine."""
        parent = f"projects/{project}"
        request = {"metric_name": f"{parent}/metrics/{name}"}
        none_if_missing(
            lambda: self._unary(
                "Deleting a log metric", parent, self._client.delete_log_metric, request
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("log_metrics")


def _message(wanted: LogMetric) -> dict[str, Any]:
    labels = wanted.labels or {}
    descriptor: dict[str, Any] = {
        "metric_kind": "DELTA",
        "value_type": "DISTRIBUTION" if wanted.value else "INT64",
        "unit": wanted.unit,
        "labels": [{"key": label, "value_type": "STRING"} for label in labels],
    }
    message: dict[str, Any] = {
        "name": wanted.name,
        "description": wanted.description,
        "filter": wanted.filter,
        "metric_descriptor": descriptor,
        "label_extractors": {label: f"EXTRACT({field})" for label, field in labels.items()},
    }
    if wanted.value:
        message["value_extractor"] = f"EXTRACT({wanted.value})"
        message["bucket_options"] = {"exponential_buckets": _BUCKETS}
    return message


def _metric(found: Any) -> LogMetric:
    return LogMetric(
        name=str(found.name),
        description=str(found.description),
        filter=str(found.filter),
        value=_field(found.value_extractor),
        unit=str(found.metric_descriptor.unit),
        labels={label: _field(text) for label, text in found.label_extractors.items()} or None,
    )


def _field(extractor: str) -> str:
    return extractor.removeprefix("EXTRACT(").removesuffix(")")
