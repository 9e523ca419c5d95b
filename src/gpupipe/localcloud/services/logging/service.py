"""google.logging.v2.LoggingServiceV2: the handlers. Tailing is not emulated."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from google.cloud.logging_v2 import types
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import ServiceError, invalid_argument, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.services.logging import messages
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.store.paging import after_token, page_token
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

LIST, WRITE = "logging.logEntries.list", "logging.logEntries.create"
_LOG = re.compile(r"projects/([^/]+)/logs/([^/]+)")
_PROJECT = re.compile(r"projects/[^/]+")
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_PAGE, _MOST = 50, 1000  # ListLogEntriesRequest.page_size
Key = tuple[float, int]


class Logging:
    """List, write, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def list(self, request: Any, call: Call) -> Any:
        """ListLogEntries, oldest first unless asked otherwise."""
        names = list(request.resource_names)
        if not names or not all(_PROJECT.fullmatch(name) for name in names):
            raise invalid_argument(
                "resource_names must be projects (projects/ID).", "resource_names"
            )
        if request.order_by not in _ORDERS:
            raise invalid_argument(f"Unknown order {request.order_by!r}.", "order_by")
        for name in names:
            self._kernel.authorizer.check(call.caller, LIST, name)
        newest_first = _ORDERS[request.order_by]
        size = min(request.page_size, _MOST) if request.page_size > 0 else _PAGE
        test = _after(compiled(request.filter), request.page_token, newest_first=newest_first)
        found = sorted(
            (
                entry
                for name in set(names)
                for entry in self._query(name, test, size + 1, newest_first=newest_first)
            ),
            key=_key,
            reverse=newest_first,
        )
        page = found[:size]
        return raw(types.ListLogEntriesResponse)(
            entries=[messages.message_of(entry) for entry in page],
            next_page_token=_token(page[-1]) if len(found) > size else "",
        )

    def write(self, request: Any, call: Call) -> Any:
        """WriteLogEntries: all are checked before the first is written."""
        entries = [_completed(request, entry) for entry in request.entries]
        projects = {_log_parts(entry.log_name)[0] for entry in entries}
        for project in projects:
            self._kernel.authorizer.check(call.caller, WRITE, f"projects/{project}")
        ready = [(entry, messages.payload_of(entry)) for entry in entries]
        for entry, payload in () if request.dry_run else ready:
            self._kernel.logs.write(
                self._own_name(entry.log_name),
                entry.resource.type,
                dict(entry.resource.labels),
                messages.severity_of(entry),
                payload,
                labels=dict(entry.labels),
                trace=entry.trace,
                timestamp=messages.time_of(entry),
                insert_id=entry.insert_id,
            )
        return raw(types.WriteLogEntriesResponse)()

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteLog: all entries of one log."""
        _log_parts(request.log_name)
        if not self._kernel.logs.delete(self._own_name(request.log_name)):
            raise not_found(f"Log {request.log_name} was not found.")  # own words
        return Empty()

    def _query(
        self, name: str, test: Callable[[LogEntry], bool], limit: int, *, newest_first: bool
    ) -> Iterable[LogEntry]:
        project = self._kernel.projects.get(name.removeprefix("projects/"))
        if project is None:
            return ()
        return self._kernel.logs.query(
            project.id, newest_first=newest_first, limit=limit, where=test
        )

    def _own_name(self, log_name: str) -> str:
        """The log's name with the project's id, as entries are kept."""
        named, log_id = _log_parts(log_name)
        project = self._kernel.projects.get(named)
        if project is None:
            raise not_found(f"Project {named} was not found.")
        return f"{project.name}/logs/{log_id}"


def first_project(request: Any) -> str:
    """The project whose API must be enabled: that of the first name in a request."""
    names = [*getattr(request, "resource_names", ()), getattr(request, "log_name", "")]
    names += [entry.log_name for entry in getattr(request, "entries", ())]
    return next(("/".join(name.split("/")[:2]) for name in names if name), "")


def _completed(request: Any, entry: Any) -> Any:
    whole = messages.Entry()
    whole.CopyFrom(entry)
    whole.log_name = entry.log_name or request.log_name
    if not entry.HasField("resource"):
        whole.resource.CopyFrom(request.resource)
    for name in set(request.labels) - set(entry.labels):
        whole.labels[name] = request.labels[name]
    if not whole.resource.type:
        raise invalid_argument("An entry needs a monitored resource.", "entries.resource")
    return whole


def _log_parts(log_name: str) -> tuple[str, str]:
    match = _LOG.fullmatch(log_name)
    if match is None:
        raise invalid_argument(
            f"Invalid log name {log_name!r}: expected projects/PROJECT/logs/ID with ID URL-encoded.",
            "log_name",
        )
    return match[1], match[2]


def _key(entry: LogEntry) -> Key:
    return entry.timestamp.timestamp(), entry.sequence


def _token(entry: LogEntry) -> str:
    return page_token(f"{entry.timestamp.isoformat()} {entry.sequence}")


def _after(
    test: Callable[[LogEntry], bool], token: str, *, newest_first: bool
) -> Callable[[LogEntry], bool]:
    """The test, for the entries that come after the token's."""
    if not token:
        return test
    time, _, sequence = after_token(token).partition(" ")
    try:
        last: Key = (datetime.fromisoformat(time).timestamp(), int(sequence))
    except ValueError as error:
        raise _bad_token() from error
    if newest_first:
        return lambda entry: _key(entry) < last and test(entry)
    return lambda entry: _key(entry) > last and test(entry)


def _bad_token() -> ServiceError:
    return invalid_argument("The page token is not valid.", "page_token")
