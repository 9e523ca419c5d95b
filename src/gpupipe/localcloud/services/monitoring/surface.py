"""Cloud Monitoring's surface."""

from collections.abc import Iterable, Iterator

from google.api.metric_pb2 import MetricDescriptor
from google.cloud import monitoring_dashboard_v1, monitoring_v3
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring.alerts import AlertPolicies, policies_of
from gpupipe.localcloud.services.monitoring.channels import Channels, channels_of
from gpupipe.localcloud.services.monitoring.dashboards import Dashboards
from gpupipe.localcloud.services.monitoring.evaluation import Evaluation
from gpupipe.localcloud.services.monitoring.metric_service import MetricService
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_API = "monitoring.googleapis.com"
_DASHBOARDS = Rows("google.monitoring.dashboard.v1.DashboardsService", _API)
_ALERTS = Rows("google.monitoring.v3.AlertPolicyService", _API)
_CHANNELS = Rows("google.monitoring.v3.NotificationChannelService", _API)
_SERIES = Rows("google.monitoring.v3.MetricService", _API)
_POLICY = (
    *(f"alert_policy.{path}" for path in (
        "name", "display_name", "documentation", "user_labels", "combiner", "enabled", "severity",
        "creation_record", "mutation_record", "validity", "notification_channels", "conditions.name",
        "conditions.display_name", "conditions.condition_threshold",
        "conditions.condition_absent", "alert_strategy.auto_close",
        "alert_strategy.notification_prompts",
    )),
)  # fmt: skip


class MonitoringSurface(BaseSurface):
    """Dashboards, alert policies with their incidents, channels for e-mail, time series."""

    def __init__(self, kernel: Kernel) -> None:
        self._dashboards = Dashboards(kernel)
        self._alerts = AlertPolicies(kernel, channels_of(kernel))
        self._channels = Channels(kernel)
        self._metrics = MetricService(kernel)
        self._evaluation = Evaluation(kernel, policies_of(kernel))

    def start(self) -> None:
        """Sample and evaluate every minute."""
        self._evaluation.start()

    def stop(self) -> None:
        """No more."""
        self._evaluation.stop()

    def rpcs(self) -> Iterable[Rpc]:
        """Five methods of each, and three that read what was measured."""
        yield from self._dashboard_rows()
        yield from self._alert_rows()
        yield from self._channel_rows()
        yield from self._series_rows()

    def _dashboard_rows(self) -> Iterator[Rpc]:
        do, pb = self._dashboards, monitoring_dashboard_v1
        one, paged = pb.Dashboard, ("parent", "page_size", "page_token")
        whole = ("dashboard", "validate_only")
        for method, types, handler, resource, fields in (
            ("CreateDashboard", (pb.CreateDashboardRequest, one), do.create, "parent",
             ("parent", *whole)),
            ("GetDashboard", (pb.GetDashboardRequest, one), do.get, "name", ("name",)),
            ("ListDashboards", (pb.ListDashboardsRequest, pb.ListDashboardsResponse), do.list,
             "parent", paged),
            ("UpdateDashboard", (pb.UpdateDashboardRequest, one), do.update, "dashboard.name",
             whole),
            ("DeleteDashboard", (pb.DeleteDashboardRequest, Empty), do.delete, "name", ("name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _DASHBOARDS.row(method, types, handler, f"monitoring.dashboards.{verb}", resource,
                                  writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip

    def _alert_rows(self) -> Iterator[Rpc]:
        do, pb = self._alerts, monitoring_v3
        one = pb.AlertPolicy
        for method, types, handler, resource, fields in (
            ("CreateAlertPolicy", (pb.CreateAlertPolicyRequest, one), do.create, "name",
             ("name", *_POLICY)),
            ("GetAlertPolicy", (pb.GetAlertPolicyRequest, one), do.get, "name", ("name",)),
            ("ListAlertPolicies", (pb.ListAlertPoliciesRequest, pb.ListAlertPoliciesResponse),
             do.list, "name", ("name", "page_size", "page_token")),
            ("UpdateAlertPolicy", (pb.UpdateAlertPolicyRequest, one), do.update,
             "alert_policy.name", ("update_mask", *_POLICY)),
            ("DeleteAlertPolicy", (pb.DeleteAlertPolicyRequest, Empty), do.delete, "name",
             ("name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _ALERTS.row(method, types, handler, f"monitoring.alertPolicies.{verb}", resource,
                              writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip

    def _channel_rows(self) -> Iterator[Rpc]:
        do, pb = self._channels, monitoring_v3
        one, whole = pb.NotificationChannel, "notification_channel"
        several = (pb.ListNotificationChannelsRequest, pb.ListNotificationChannelsResponse)
        for method, types, handler, resource, fields in (
            ("CreateNotificationChannel", (pb.CreateNotificationChannelRequest, one), do.create,
             "name", ("name", whole)),
            ("GetNotificationChannel", (pb.GetNotificationChannelRequest, one), do.get, "name",
             ("name",)),
            ("ListNotificationChannels", several, do.list, "name",
             ("name", "page_size", "page_token")),
            ("UpdateNotificationChannel", (pb.UpdateNotificationChannelRequest, one), do.update,
             f"{whole}.name", ("update_mask", whole)),
            ("DeleteNotificationChannel", (pb.DeleteNotificationChannelRequest, Empty), do.delete,
             "name", ("name", "force")),
        ):  # fmt: skip
            verb = handler.__name__
            permission = f"monitoring.notificationChannels.{verb}"
            yield _CHANNELS.row(method, types, handler, permission, resource,
                                writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip

    def _series_rows(self) -> Iterator[Rpc]:
        do, pb = self._metrics, monitoring_v3
        series = (pb.ListTimeSeriesRequest, pb.ListTimeSeriesResponse)
        yield _SERIES.row("ListTimeSeries", series, do.list, "monitoring.timeSeries.list", "name",
                          fields=("name", "filter", "interval", "aggregation", "view", "page_size",
                                  "page_token"))  # fmt: skip
        several = (pb.ListMetricDescriptorsRequest, pb.ListMetricDescriptorsResponse)
        kinds = "monitoring.metricDescriptors"
        yield _SERIES.row("ListMetricDescriptors", several, do.descriptors, f"{kinds}.list", "name",
                          fields=("name", "filter", "page_size", "page_token"))  # fmt: skip
        one = (pb.GetMetricDescriptorRequest, MetricDescriptor)
        yield _SERIES.row("GetMetricDescriptor", one, do.get, f"{kinds}.get", "name",
                          fields=("name",))  # fmt: skip


def build(kernel: Kernel, _: Pipeline) -> MonitoringSurface:
    """The factory for `registry.SERVICES`."""
    return MonitoringSurface(kernel)
