"""Cloud Logging's surface."""

from collections.abc import Iterable

from google.cloud.logging_v2 import types as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.logging.service import (
    LIST,
    WRITE,
    Logging,
    first_project,
    listed_project,
)
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.logging.v2.LoggingServiceV2", "logging.googleapis.com")

_ENTRY = tuple(
    f"entries.{path}"
    for path in ("log_name", "resource.type", "resource.labels", "severity", "text_payload",
                 "json_payload", "proto_payload", "labels", "trace", "timestamp", "insert_id")
)  # fmt: skip
_WRITTEN = ("log_name", "resource", "labels", "dry_run", "partial_success", *_ENTRY)
_LISTED = ("resource_names", "filter", "order_by", "page_size", "page_token")


class LoggingSurface(BaseSurface):
    """google.logging.v2.LoggingServiceV2."""

    def __init__(self, kernel: Kernel) -> None:
        self._logging = Logging(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """Entries; log-based metrics and sinks are services of their own."""
        do, row = self._logging, _TABLE.row
        lists = (pb.ListLogEntriesRequest, pb.ListLogEntriesResponse)
        yield row("ListLogEntries", lists, do.list, LIST, listed_project, fields=_LISTED)
        writes = (pb.WriteLogEntriesRequest, pb.WriteLogEntriesResponse)
        yield row("WriteLogEntries", writes, do.write, WRITE, first_project, writes=True,
                  fields=_WRITTEN)  # fmt: skip
        deletes = (pb.DeleteLogRequest, Empty)
        permission = "logging.logs.delete"
        yield row("DeleteLog", deletes, do.delete, permission, first_project, writes=True,
                  fields=("log_name",))  # fmt: skip


def build(kernel: Kernel, _: Pipeline) -> LoggingSurface:
    """The factory for `registry.SERVICES`."""
    return LoggingSurface(kernel)
