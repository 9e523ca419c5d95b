"""Cloud Monitoring: how long a service's instances were billed."""

from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api

_BILLED = "run.googleapis.com/container/billable_instance_time"


class MetricsApi(Api):
    """The one call that gpupipe needs of Cloud Monitoring's time series."""

    def billed_seconds(
        self, project: str, region: str, service: str, since: datetime, until: datetime
    ) -> float:
        """Seconds for which instances of a service were billed, of all its revisions together."""
        name = f"projects/{project}"
        wanted = (
            f'metric.type = "{_BILLED}" AND resource.type = "cloud_run_revision" AND '
            f'resource.labels.service_name = "{service}" AND resource.labels.location = "{region}"'
        )
        series = self._all(
            "Reading how long instances were billed",
            f"{name}: {service}",
            self._client.list_time_series,
            {
                "name": name,
                "filter": wanted,
                "interval": {"start_time": since, "end_time": until},
                "view": "FULL",
            },
        )
        points = (point.value for one in series for point in one.points)
        return sum(float(value.double_value or value.int64_value) for value in points)

    @property
    def _client(self) -> Any:
        return self._clients.client("metrics")
