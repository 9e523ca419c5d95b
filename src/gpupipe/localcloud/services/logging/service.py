"""google.logging.v2.LoggingServiceV2: the handlers. Tailing is not emulated."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from google.cloud.logging_v2 import types
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import ServiceError, invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry, Payload, is_audit_log
from gpupipe.localcloud.services.logging import messages
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.store.paging import after_token, page_of, page_token
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

LIST, WRITE = "logging.logEntries.list", "logging.logEntries.create"
_PRIVATE = "logging.privateLogEntries.list"
_LOG = re.compile(r"projects/([^/]+)/logs/([^/]+)")
_LOG_ID = re.compile(r"[A-Za-z0-9/_.-]{1,511}")  # LogEntry.log_name
_PROJECT = re.compile(r"projects/[^/]+")
_ELSEWHERE = re.compile(r"(organizations|folders|billingAccounts)/.+|projects/[^/]+/locations/.+")
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_PAGE, _MOST = 50, 1000  # ListLogEntriesRequest.page_size
_MOST_NAMES = 100  # ListLogEntriesRequest.resource_names
_ENTRY_BYTES = 256 * 1024  # cloud.google.com/logging/quotas; own knowledge
# Entries outside of this are taken, and not seen again (WriteLogEntriesRequest.entries); the days
# are those of a new project's bucket, own knowledge.
_PAST, _FUTURE = timedelta(days=30), timedelta(hours=24)
Key = tuple[float, int]


class Logging:
    """List, write, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def list(self, request: Any, call: Call) -> Any:
        """ListLogEntries, oldest first unless asked otherwise."""
        names = list(request.resource_names)
        for name in names:
            self._kernel.authorizer.check(call.caller, LIST, name)
        newest_first = _ORDERS[request.order_by]
        size = request.page_size or _PAGE
        test = _after(compiled(request.filter), request.page_token, newest_first=newest_first)
        found = sorted(
            (
                entry
                for name in set(names)
                for entry in self._query(
                    name, self._visible(call, name, test), size + 1, newest_first=newest_first
                )
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
        """WriteLogEntries: all are checked before the first is written.

        With `partial_success` the good ones are written, and the first refusal is the answer.
        """
        ready, refused = [], []
        for entry in request.entries:
            try:
                ready.append(self._checked(_completed(request, entry), call))
            except ServiceError as error:
                refused.append(error)
        if refused and not request.partial_success:
            raise refused[0]
        for whole, payload in () if request.dry_run else ready:
            self._write(whole, payload)
        if refused:
            raise refused[0]
        return raw(types.WriteLogEntriesResponse)()

    def _checked(self, entry: Any, call: Call) -> tuple[Any, Payload]:
        """The entry and what it says, when the caller may write it."""
        project, _ = _log_parts(entry.log_name)
        self._kernel.authorizer.check(call.caller, WRITE, f"projects/{project}")
        if entry.ByteSize() > _ENTRY_BYTES:
            raise invalid_argument(f"An entry has more than {_ENTRY_BYTES} bytes.", "entries")
        messages.time_of(entry)
        return entry, messages.payload_of(entry)

    def _write(self, entry: Any, payload: Payload) -> None:
        time, now = messages.time_of(entry), self._kernel.clock.now().astimezone(UTC)
        if time is not None and not now - _PAST <= time <= now + _FUTURE:
            return
        self._kernel.logs.write(
            self._own_name(entry.log_name),
            entry.resource.type,
            dict(entry.resource.labels),
            messages.severity_of(entry),
            payload,
            labels=dict(entry.labels),
            trace=entry.trace,
            timestamp=time,
            insert_id=entry.insert_id,
        )

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteLog: all entries of one log."""
        _log_parts(request.log_name)
        if not self._kernel.logs.delete(self._own_name(request.log_name)):
            raise not_found(f"Log {request.log_name} was not found.")  # own words
        return Empty()

    def names(self, request: Any, _: Call) -> Any:
        """ListLogs: those that have entries."""
        project = self._kernel.projects.get(request.parent.removeprefix("projects/"))
        if project is None:
            raise not_found(f"Project {request.parent} was not found.")  # own words
        names = self._kernel.logs.names(project.id)
        page, token = page_of(names, str, request.page_size, request.page_token, most=_MOST)
        return raw(types.ListLogsResponse)(log_names=page, next_page_token=token)

    def _query(
        self, name: str, test: Callable[[LogEntry], bool], limit: int, *, newest_first: bool
    ) -> Iterable[LogEntry]:
        project = self._kernel.projects.get(name.removeprefix("projects/"))
        if project is None:
            return ()
        return self._kernel.logs.query(
            project.id, newest_first=newest_first, limit=limit, where=test
        )

    def _visible(
        self, call: Call, project: str, test: Callable[[LogEntry], bool]
    ) -> Callable[[LogEntry], bool]:
        """The test, for what the caller may read; the rest is left out (UNSURE, like the text)."""
        if self._kernel.authorizer.allowed(call.caller.member, _PRIVATE, project):
            return test
        return lambda entry: not entry.is_private and test(entry)

    def _own_name(self, log_name: str) -> str:
        """The log's name with the project's id, as entries are kept; nobody's who may not write it."""
        named, log_id = _log_parts(log_name)
        if is_audit_log(log_name):
            raise unimplemented("writing and deleting audit logs")
        project = self._kernel.projects.get(named)
        if project is None:
            raise not_found(f"Project {named} was not found.")
        return f"{project.name}/logs/{log_id}"


def listed_project(request: Any) -> str:
    """The first project of a list, whose form is checked before anyone's rights are."""
    _check_list(request)
    return str(request.resource_names[0])


def first_project(request: Any) -> str:
    """The project whose API must be enabled: that of the first log in a request."""
    names = [request.log_name]
    names += [entry.log_name for entry in getattr(request, "entries", ())]
    named = [name for name in names if name]
    if not named:
        raise invalid_argument("The log_name is required: no log is named.", "log_name")
    return "/".join(named[0].split("/")[:2])


def _check_list(request: Any) -> None:
    names, path = request.resource_names, "resource_names"
    if not names:
        raise invalid_argument(f"The field {path} is required.", path)
    if len(names) > _MOST_NAMES:
        raise invalid_argument(f"At most {_MOST_NAMES} resource_names.", path)
    for name in names:
        if _ELSEWHERE.fullmatch(name):
            raise unimplemented(f"logs of {name}: only those of projects")
        if not _PROJECT.fullmatch(name):
            raise invalid_argument(f"Invalid resource name {name!r}: expected projects/ID.", path)
    if request.order_by not in _ORDERS:
        raise invalid_argument(f"Unknown order {request.order_by!r}.", "order_by")
    if not 0 <= request.page_size <= _MOST:
        raise invalid_argument(f"The page_size must be from 1 to {_MOST}.", "page_size")


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
    if match is None or not _LOG_ID.fullmatch(unquote(match[2])):
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
