"""Cloud Logging's surface."""

from collections.abc import Iterable, Iterator

from google.cloud.logging_v2 import types as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.logging.exports import Exports
from gpupipe.localcloud.services.logging.metrics import LogMetrics, LogMetricSource
from gpupipe.localcloud.services.logging.service import (
    LIST,
    WRITE,
    Logging,
    first_project,
    listed_project,
)
from gpupipe.localcloud.services.logging.sinks import Sinks
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.logging.v2.LoggingServiceV2", "logging.googleapis.com")
_SINKS = Rows("google.logging.v2.ConfigServiceV2", "logging.googleapis.com")
_METRICS = Rows("google.logging.v2.MetricsServiceV2", "logging.googleapis.com")

_ENTRY = tuple(
    f"entries.{path}"
    for path in ("log_name", "resource.type", "resource.labels", "severity", "text_payload",
                 "json_payload", "proto_payload", "labels", "trace", "timestamp", "insert_id")
)  # fmt: skip
_WRITTEN = ("log_name", "resource", "labels", "dry_run", "partial_success", *_ENTRY)
_METRIC = tuple(
    f"metric.{path}"
    for path in ("name", "description", "filter", "disabled", "metric_descriptor", "value_extractor",
                 "label_extractors", "bucket_options", "create_time", "update_time", "version")
)  # fmt: skip
_SINK = tuple(
    f"sink.{path}"
    for path in ("name", "destination", "filter", "description", "disabled", "exclusions.name",
                 "exclusions.filter", "exclusions.description", "exclusions.disabled",
                 "writer_identity", "create_time", "update_time")
)  # fmt: skip
_LISTED = ("resource_names", "filter", "order_by", "page_size", "page_token")


class LoggingSurface(BaseSurface):
    """google.logging.v2: LoggingServiceV2, MetricsServiceV2, and the sinks of ConfigServiceV2."""

    def __init__(self, kernel: Kernel) -> None:
        self._logging = Logging(kernel)
        self._metrics = LogMetrics(kernel)
        self._exports = Exports(kernel)
        self._sinks = Sinks(kernel, self._exports)
        kernel.metrics.register(LogMetricSource(kernel))

    def start(self) -> None:
        """Export to the sinks' buckets every minute."""
        self._exports.start()

    def stop(self) -> None:
        """No more."""
        self._exports.stop()

    def rpcs(self) -> Iterable[Rpc]:
        """Entries, log-based metrics and sinks."""
        yield from self._entry_rows()
        yield from self._metric_rows()
        yield from self._sink_rows()

    def _entry_rows(self) -> Iterator[Rpc]:
        do, row = self._logging, _TABLE.row
        lists = (pb.ListLogEntriesRequest, pb.ListLogEntriesResponse)
        yield row("ListLogEntries", lists, do.list, LIST, listed_project, fields=_LISTED)
        names = (pb.ListLogsRequest, pb.ListLogsResponse)
        yield row("ListLogs", names, do.names, "logging.logs.list", "parent",
                  fields=("parent", "page_size", "page_token"))  # fmt: skip
        writes = (pb.WriteLogEntriesRequest, pb.WriteLogEntriesResponse)
        yield row("WriteLogEntries", writes, do.write, WRITE, first_project, writes=True,
                  fields=_WRITTEN)  # fmt: skip
        deletes = (pb.DeleteLogRequest, Empty)
        permission = "logging.logs.delete"
        yield row("DeleteLog", deletes, do.delete, permission, first_project, writes=True,
                  fields=("log_name",))  # fmt: skip

    def _metric_rows(self) -> Iterator[Rpc]:
        do, one = self._metrics, pb.LogMetric
        for method, types, handler, resource, fields in (
            ("CreateLogMetric", (pb.CreateLogMetricRequest, one), do.create, "parent",
             ("parent", *_METRIC)),
            ("GetLogMetric", (pb.GetLogMetricRequest, one), do.get, "metric_name",
             ("metric_name",)),
            ("ListLogMetrics", (pb.ListLogMetricsRequest, pb.ListLogMetricsResponse), do.list,
             "parent", ("parent", "page_size", "page_token")),
            ("UpdateLogMetric", (pb.UpdateLogMetricRequest, one), do.update, "metric_name",
             ("metric_name", *_METRIC)),
            ("DeleteLogMetric", (pb.DeleteLogMetricRequest, Empty), do.delete, "metric_name",
             ("metric_name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _METRICS.row(method, types, handler, f"logging.logMetrics.{verb}", resource,
                               writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip

    def _sink_rows(self) -> Iterator[Rpc]:
        do, one = self._sinks, pb.LogSink
        whole = ("unique_writer_identity", *_SINK)
        for method, types, handler, resource, fields in (
            ("CreateSink", (pb.CreateSinkRequest, one), do.create, "parent", ("parent", *whole)),
            ("GetSink", (pb.GetSinkRequest, one), do.get, "sink_name", ("sink_name",)),
            ("ListSinks", (pb.ListSinksRequest, pb.ListSinksResponse), do.list, "parent",
             ("parent", "page_size", "page_token")),
            ("UpdateSink", (pb.UpdateSinkRequest, one), do.update, "sink_name",
             ("sink_name", "update_mask", *whole)),
            ("DeleteSink", (pb.DeleteSinkRequest, Empty), do.delete, "sink_name", ("sink_name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _SINKS.row(method, types, handler, f"logging.sinks.{verb}", resource,
                             writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip


def build(kernel: Kernel, _: Pipeline) -> LoggingSurface:
    """The factory for `registry.SERVICES`."""
    return LoggingSurface(kernel)
