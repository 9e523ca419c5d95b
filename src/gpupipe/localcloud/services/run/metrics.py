"""Cloud Run's metrics: requests from their log, instances from their pools, processes from Linux.

The GPU's metrics have no points here: no device works behind an emulated one.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.kernel.metrics import Descriptor, Sample
from gpupipe.localcloud.runner.pool import Pool
from gpupipe.localcloud.runner.supervisor import Supervisor
from gpupipe.localcloud.services.run.access_log import REQUESTS
from gpupipe.localcloud.services.run.instance_logs import RESOURCE, labels_of
from gpupipe.localcloud.services.run.quotas import CPU, MEMORY

_RUN = "run.googleapis.com"
_COUNT, _LATENCIES = f"{_RUN}/request_count", f"{_RUN}/request_latencies"
_INSTANCES = f"{_RUN}/container/instance_count"
_BILLED = f"{_RUN}/container/billable_instance_time"
_CPU, _MEMORY = f"{_RUN}/container/cpu/utilizations", f"{_RUN}/container/memory/utilizations"
_CODES = ("response_code", "response_code_class")
_ALL = 1_000_000
_PROCESSES = Path("/proc")


def _of(
    metric: str, kind: str, value: str, unit: str, what: str, labels: tuple[str, ...] = ()
) -> Descriptor:
    return Descriptor(metric, kind, value, unit, RESOURCE, labels, what)


# Types: gcp-facts 7. Kinds and units are those that the published list of metrics has.
_SHARE = "10^2.%"
DESCRIPTORS = (
    _of(_COUNT, "DELTA", "INT64", "1", "Requests that reached a revision.", _CODES),
    _of(_LATENCIES, "DELTA", "DISTRIBUTION", "ms", "Their latencies.", _CODES),
    _of(_INSTANCES, "GAUGE", "INT64", "1", "Instances of a revision.", ("state",)),
    _of(_BILLED, "DELTA", "DOUBLE", "s", "For how long instances were billed."),
    _of(_CPU, "DELTA", "DISTRIBUTION", _SHARE, "Share of their CPU that instances used."),
    _of(_MEMORY, "DELTA", "DISTRIBUTION", _SHARE, "Share of their memory that they held."),
    _of(f"{_RUN}/container/gpu/utilizations", "DELTA", "DISTRIBUTION", _SHARE,
        "Share of its time that the GPU worked."),
    _of(f"{_RUN}/container/gpu/memory_utilizations", "DELTA", "DISTRIBUTION", _SHARE,
        "Share of the GPU's memory that was in use."),
)  # fmt: skip


class RunMetrics:
    """A `Source`; `supervisor` has the pools."""

    def __init__(self, kernel: Kernel, supervisor: Supervisor) -> None:
        self._kernel = kernel
        self._supervisor = supervisor
        self._cpu_before: dict[int, tuple[float, float]] = {}

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        """The same in every project."""
        del project
        return DESCRIPTORS

    def recorded(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterator[Sample]:
        """Requests, each with its code."""
        if metric not in {_COUNT, _LATENCIES}:
            return
        log = f"projects/{project}/logs/{REQUESTS}"
        for entry in self._kernel.logs.query(
            project, log_name=log, since=since, until=until, limit=_ALL
        ):
            if isinstance(entry.payload, dict) and entry.timestamp > since:
                yield _request(entry, metric, entry.payload["httpRequest"])

    def gauges(self) -> Iterator[Sample]:
        """Of every pool: its instances, what they were billed for, what their processes use."""
        now, used = self._kernel.clock.now(), _used()
        for pool in self._supervisor.measured():
            revision = pool.revision
            labels = labels_of(
                revision.project, revision.region, revision.service, revision.revision
            )
            for metric, value, own in self._of_pool(pool, used):
                yield Sample(metric, RESOURCE, labels, now, value, own)
        for gone in self._cpu_before.keys() - used.keys():
            del self._cpu_before[gone]

    def _of_pool(
        self, pool: Pool, used: Mapping[int, "_Used"]
    ) -> Iterator[tuple[str, float, Mapping[str, str]]]:
        active, idle = pool.counts()
        yield _INSTANCES, active, {"state": "active"}
        yield _INSTANCES, idle, {"state": "idle"}
        if billed := pool.take_billed():
            yield _BILLED, billed, {}
        limits = pool.revision.allocation
        for group in pool.groups():
            mine = used.get(group)
            if mine is not None and limits.get(CPU) and limits.get(MEMORY):
                share = self._cpu_share(group, mine) * 1000 / limits[CPU]
                yield _CPU, min(share, 1.0), {}
                yield _MEMORY, min(mine.memory_bytes / limits[MEMORY], 1.0), {}

    def _cpu_share(self, group: int, used: "_Used") -> float:
        """CPUs in use since the last look, at first since its start; the machine's own time."""
        now = time.monotonic()
        before, since = self._cpu_before.get(group, (0.0, used.began))
        self._cpu_before[group] = (used.cpu_s, now)
        return max(0.0, used.cpu_s - before) / max(now - since, 0.01)


@dataclass(slots=True)
class _Used:
    """What the processes of one group use; began: the oldest one's start, as time.monotonic()."""

    cpu_s: float = 0.0
    memory_bytes: int = 0
    began: float = float("inf")


def _used() -> dict[int, _Used]:
    """By the session's leader, which is the instance's launcher; empty where there is no /proc."""
    found: dict[int, _Used] = {}
    if not _PROCESSES.is_dir():
        return found
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for place in _PROCESSES.iterdir():
        # a process may end while it is looked at
        with contextlib.suppress(OSError):
            if place.name.isdecimal():
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                mine = found.setdefault(int(fields[3]), _Used())
                mine.cpu_s += (int(fields[11]) + int(fields[12])) / ticks
                mine.began = min(mine.began, int(fields[19]) / ticks)
                mine.memory_bytes += int(fields[21]) * page
    return found


def _request(entry: LogEntry, metric: str, request: Mapping[str, Any]) -> Sample:
    status = int(request["status"])
    value = 1.0 if metric == _COUNT else float(request["latency"].removesuffix("s")) * 1000
    codes = dict(zip(_CODES, (str(status), f"{status // 100}xx"), strict=True))
    return Sample(metric, RESOURCE, entry.resource_labels, entry.timestamp, value, codes)
