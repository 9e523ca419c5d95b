"""Metrics of all projects: each API describes its own, and says what it measured.

What is written down anyway (requests, executions, log entries) is read from there when somebody asks.
What only has a present (instances, waiting events) is sampled, by whoever calls `sample`, into the
file of the logs; samples are kept for six weeks, as Cloud Monitoring keeps its points.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from gpupipe.core.clock import Clock
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS metric_samples (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, metric TEXT NOT NULL,
        at REAL NOT NULL, value REAL NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS metric_samples_by_metric ON metric_samples (project, metric, at)",
    "CREATE INDEX IF NOT EXISTS metric_samples_by_time ON metric_samples (at)",
)
_KEPT_S = 42 * 86_400
ANY_RESOURCE = ""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a metric is. kind: "GAUGE" or "DELTA"; value: "INT64", "DOUBLE" or "DISTRIBUTION".

    resource: the type of what is monitored, ANY_RESOURCE for a log-based metric. bounds: the upper
    ends of a distribution's buckets, as it is shown; empty for the usual ones.
    """

    type: str
    kind: str
    value: str
    unit: str
    resource: str
    labels: tuple[str, ...] = ()
    description: str = ""
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One observation: of a distribution one of its values, of a count how many."""

    metric: str
    resource: str
    resource_labels: Mapping[str, str]
    at: datetime
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The id of the project: every resource has it as a label."""
        return self.resource_labels["project_id"]


class Source(Protocol):
    """What an API tells of its metrics."""

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        """Its metrics in a project."""

    def recorded(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterable[Sample]:
        """What it has written down of a metric, later than `since`, not later than `until`."""

    def gauges(self) -> Iterable[Sample]:
        """What is so now, and what has come together since the last time, of all projects."""


class NothingRecorded:
    """Of a source that is only sampled."""

    def recorded(self, project: str, metric: str, since: datetime, until: datetime) -> tuple[()]:
        """Nothing."""
        del project, metric, since, until
        return ()


class NothingSampled:
    """Of a source that is only recorded."""

    def gauges(self) -> tuple[()]:
        """Nothing."""
        return ()


class Metrics:
    """The sources, and the samples of what only has a present."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sources: list[Source] = []
        self._sampling = threading.Lock()
        self._sampled = -math.inf
        database.define(*_SCHEMA)

    def register(self, source: Source) -> None:
        """Add what an API measures."""
        self._sources.append(source)

    def descriptor(self, project: str, metric: str) -> Descriptor | None:
        """What a metric is in a project; None where there is none of that type."""
        return next((one for one in self.descriptors(project) if one.type == metric), None)

    def descriptors(self, project: str) -> tuple[Descriptor, ...]:
        """The metrics of a project, by their types."""
        found = (one for source in self._sources for one in source.descriptors(project))
        return tuple(sorted(found, key=lambda one: one.type))

    def sample(self) -> None:
        """Write down what is so now; those who ask at the same time share what one writes down."""
        asked = time.monotonic()
        with self._sampling:
            if self._sampled > asked:
                return
            self._sampled = time.monotonic()
            # First, so that no source's lock is waited for while the database is held.
            rows = [_row(one) for source in self._sources for one in source.gauges()]
            with self._database.transaction() as connection:
                connection.executemany(
                    "INSERT INTO metric_samples (project, metric, at, value, body)"
                    " VALUES (?, ?, ?, ?, ?)",
                    rows,
                )
                oldest = self._clock.now().timestamp() - _KEPT_S
                connection.execute("DELETE FROM metric_samples WHERE at<?", (oldest,))

    def samples(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterator[Sample]:
        """All of a metric, later than `since`, not later than `until`; in no order."""
        rows = self._database.read().execute(
            "SELECT * FROM metric_samples WHERE project=? AND metric=? AND at>? AND at<=?",
            (project, metric, since.timestamp(), until.timestamp()),
        )
        yield from map(_sample, rows.fetchall())
        for source in self._sources:
            if any(one.type == metric for one in source.descriptors(project)):
                yield from source.recorded(project, metric, since, until)


def _row(one: Sample) -> tuple[str, str, float, float, str]:
    body = {"resource": one.resource, "in": dict(one.resource_labels), "labels": dict(one.labels)}
    return one.project, one.metric, one.at.timestamp(), one.value, json.dumps(body)


def _sample(row: sqlite3.Row) -> Sample:
    body = json.loads(row["body"])
    at = datetime.fromtimestamp(row["at"], UTC)
    return Sample(row["metric"], body["resource"], body["in"], at, row["value"], body["labels"])
