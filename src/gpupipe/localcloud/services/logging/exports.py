"""What log sinks write: files of entries in their buckets, as their writer and over HTTP.

A file has an entry a line and is called LOG/YYYY/MM/DD/HH:00:00_HH:59:59_Sn.json, after the log, the
hour and a number (cloud.google.com/logging/docs/export/storage). Google writes every hour, the local
cloud every minute, so that an hour has several numbers here. What the writer may not write is lost, as
it is on Google.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote, unquote

import httpx
from google.protobuf.json_format import MessageToDict

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.failures import log_failure
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.kernel.rounds import Rounds
from gpupipe.localcloud.services.logging import messages
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.services.logging.sink_rules import LogSink, bucket_of

KIND = "logging.sink"
_POSITION = "logging.sinkPosition"
_PERIOD_S = 60.0
_TIMEOUT_S = 30.0
_ALL = 1_000_000
_TAKEN = 412
_MOST_NUMBERS = 10_000
_HOURS = 50  # whose numbers are remembered; of others the first that is free is looked for


@dataclass(slots=True)
class _Position:
    """How far a sink has come: the entry that it wrote last, and the next number of each hour."""

    after: int
    numbers: dict[str, int]


class Exports:
    """The thread that exports."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._exporting = threading.Lock()
        self._rounds = Rounds("log sinks", kernel.clock, self.run, period_s=_PERIOD_S)

    def start(self) -> None:
        """Begin a minute from now."""
        self._rounds.start()

    def stop(self) -> None:
        """No more."""
        self._rounds.stop()

    def begin(self, name: str) -> None:
        """A new sink: what is written from now on is its."""
        self._keep(name, _Position(self._kernel.logs.latest(), {}))

    def end(self, name: str) -> None:
        """A sink that is gone."""
        self._kernel.resources.delete(_POSITION, name)

    def run(self) -> None:
        """Write what has come since the last time, sink after sink."""
        with self._exporting:
            for record in self._kernel.resources.all(KIND):
                try:
                    self._export(record.name, LogSink.FromString(record.body))
                except (ServiceError, httpx.HTTPError) as error:
                    log_failure(f"the log sink {record.name}", error)

    def _export(self, name: str, sink: Any) -> None:
        found = self._kernel.resources.get(_POSITION, name)
        if found is None:  # deleted a moment ago
            return
        position = _Position(**json.loads(found.body))
        newest = self._kernel.logs.latest()
        if newest <= position.after:
            return
        files = {} if sink.disabled else self._files(name, sink, position.after, newest)
        numbers = position.numbers
        try:
            if files:
                self._upload(sink, files, numbers)
        finally:
            # After a crash entries may come twice, as Google says of its own.
            if self._kernel.resources.get(KIND, name) is not None:
                self._keep(name, _Position(newest, dict([*numbers.items()][-_HOURS:])))

    def _files(self, name: str, sink: Any, after: int, newest: int) -> Mapping[str, list[LogEntry]]:
        """Entries by the beginning of their file's name, in the order of their times."""
        wanted, files = compiled(sink.filter), dict[str, list[LogEntry]]()
        excluded = [compiled(one.filter) for one in sink.exclusions if not one.disabled]
        project = name.split("/")[1]
        for entry in self._kernel.logs.query(project, after=after, limit=_ALL, where=wanted):
            if entry.sequence <= newest and not any(test(entry) for test in excluded):
                files.setdefault(_hour(entry), []).append(entry)
        return files

    def _upload(
        self, sink: Any, files: Mapping[str, list[LogEntry]], numbers: dict[str, int]
    ) -> None:
        """Write the files, each under its hour's next number."""
        token, _ = self._kernel.identity.access_token(sink.writer_identity.partition(":")[2])
        bucket = quote(bucket_of(sink.destination), safe="")
        url = f"{self._kernel.http}/upload/storage/v1/b/{bucket}/o"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        with httpx.Client(trust_env=False, timeout=_TIMEOUT_S, headers=headers) as client:
            for hour, entries in files.items():
                number = _write(client, url, hour, numbers.pop(hour, 0), _lines(entries))
                numbers[hour] = number + 1

    def _keep(self, name: str, position: _Position) -> None:
        parent = name.partition("/sinks/")[0]
        body = json.dumps({"after": position.after, "numbers": position.numbers})
        self._kernel.resources.put(_POSITION, name, parent, body.encode())


def _write(client: httpx.Client, url: str, hour: str, number: int, data: bytes) -> int:
    """Write a new object under the first number that is free; the number."""
    for free in range(number, _MOST_NUMBERS):
        name = {"name": f"{hour}_S{free}.json", "ifGenerationMatch": "0"}
        answer = client.post(url, params={"uploadType": "media", **name}, content=data)
        if answer.status_code != _TAKEN:
            answer.raise_for_status()
            return free
    return number


def _hour(entry: LogEntry) -> str:
    time = entry.timestamp.astimezone(UTC)
    log_id = unquote(entry.log_name.partition("/logs/")[2])
    return f"{log_id}/{time:%Y/%m/%d/%H}:00:00_{time:%H}:59:59"


def _lines(entries: Iterable[LogEntry]) -> bytes:
    found = (MessageToDict(messages.message_of(entry)) for entry in entries)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode()
