"""google.logging.v2.ConfigServiceV2: sinks that export log entries to buckets."""

import re
from typing import Any

from google.cloud.logging_v2 import types
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from gpupipe.localcloud.errors import already_exists, invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.logging import sink_rules
from gpupipe.localcloud.services.logging.exports import KIND, Exports
from gpupipe.localcloud.services.logging.sink_rules import BUILT_IN, LogSink
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_NAME = re.compile(r"(projects/[^/]+)/sinks/([^/]+)")
_PARENT = re.compile(r"projects/[^/]+")
# UpdateSinkRequest.update_mask: what an empty one stands for.
_WITHOUT_MASK = ("destination", "filter", "include_children")


class Sinks:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel, exports: Exports) -> None:
        self._kernel = kernel
        self._exports = exports

    def create(self, request: Any, _: Call) -> Any:
        """CreateSink; entries from now on are exported, once its writer may write."""
        parent = self._project(request.parent, "parent")
        self._check_writer(request)
        sink = LogSink()
        sink.CopyFrom(request.sink)
        sink_rules.check(sink)
        name = f"{parent}/sinks/{sink.name}"
        with self._kernel.database.transaction():
            if self._find(name) is not None:
                raise already_exists(f"Sink {sink.name} already exists.")  # own words
            agent = self._kernel.agents.create("logging.googleapis.com", parent.split("/")[1])
            sink.writer_identity = f"serviceAccount:{agent}"
            now = self._kernel.clock.now()
            sink.create_time.FromDatetime(now)
            self._exports.begin(name)
            return self._put(name, sink)

    def get(self, request: Any, _: Call) -> Any:
        """GetSink."""
        return self._existing(self._key(request.sink_name))

    def list(self, request: Any, _: Call) -> Any:
        """ListSinks, by name; those that are there from the start come first."""
        parent = self._project(request.parent, "parent")
        page = self._kernel.resources.page(
            KIND, parent, size=request.page_size, token=request.page_token
        )
        first = () if request.page_token else BUILT_IN
        return raw(types.ListSinksResponse)(
            sinks=[
                *(sink_rules.built_in(name, parent) for name in first),
                *(LogSink.FromString(record.body) for record in page.records),
            ],
            next_page_token=page.next_token,
        )

    def update(self, request: Any, _: Call) -> Any:
        """UpdateSink; its writer stays the same."""
        name = self._changeable(request.sink_name)
        self._check_writer(request)
        with self._kernel.database.transaction():
            sink = merged(
                self._existing(name),
                request.sink,
                FieldMask(paths=request.update_mask.paths or _WITHOUT_MASK),
                path="sink",
                without_mask=WithoutMask.GIVEN,
                keep=("name", "create_time", "update_time", "writer_identity"),
            )
            sink_rules.check(sink)
            return self._put(name, sink)

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteSink; what was exported stays where it is."""
        name = self._changeable(request.sink_name)
        with self._kernel.database.transaction():
            self._existing(name)
            self._kernel.resources.delete(KIND, name)
            self._exports.end(name)
        return Empty()

    def _check_writer(self, request: Any) -> None:
        # Without one of its own a sink writes as an account that no one but Google knows.
        if not request.unique_writer_identity:
            raise unimplemented("log sinks without unique_writer_identity")

    def _put(self, name: str, sink: Any) -> Any:
        sink.update_time.FromDatetime(self._kernel.clock.now())
        parent = name.partition("/sinks/")[0]
        self._kernel.resources.put(KIND, name, parent, sink.SerializeToString())
        return sink

    def _find(self, name: str) -> Any:
        parent, _, sink_id = name.partition("/sinks/")
        if sink_id in BUILT_IN:
            return sink_rules.built_in(sink_id, parent)
        record = self._kernel.resources.get(KIND, name)
        return None if record is None else LogSink.FromString(record.body)

    def _existing(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise not_found(f"Sink {name} was not found.")  # own words
        return found

    def _changeable(self, name: str) -> str:
        key = self._key(name)
        if key.endswith(tuple(f"/sinks/{one}" for one in BUILT_IN)):
            raise unimplemented(f"changing the sink {key}")
        return key

    def _key(self, name: str) -> str:
        """The name with the project's id."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise invalid_argument(
                f"Invalid name {name!r}: expected projects/PROJECT/sinks/ID.", "sink_name"
            )
        return f"{self._project(match[1], 'sink_name')}/sinks/{match[2]}"

    def _project(self, name: str, path: str) -> str:
        found = _PARENT.fullmatch(name)
        project = self._kernel.projects.get(name.removeprefix("projects/")) if found else None
        if project is None:
            raise invalid_argument(f"Invalid name {name!r}: expected projects/PROJECT.", path)
        return project.name
