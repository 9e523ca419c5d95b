"""The lines of a pipeline's services, of its workflow and of its builds, from Cloud Logging, and its audit logs.

They come merged in the order of their times. `Tail` goes on from there: an entry may come into
Cloud Logging after others that are younger, so each look begins a little earlier than the last
one ended, and what was seen is left out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.logging import Entry
from gpupipe.core.names import ACCOUNTS, BUCKETS, LOGS, SERVICES
from gpupipe.deploy.spec import PipelineSpec

WORKFLOW, BUILD, AUDIT = "workflow", "build", "audit"
SOURCES = (*SERVICES, WORKFLOW, BUILD, AUDIT)
"""What has lines, by the name that people call it."""
USUAL = (*SERVICES, WORKFLOW)
"""The sources that are shown where none is named: what a file goes through."""
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")  # fmt: skip
_EXECUTION = "workflows.googleapis.com/execution_id"
_AUDIT = "cloudaudit.googleapis.com"
# Audit logs tell of a service or a build as a resource of the same type that its own lines have.
_NO_AUDIT = f' AND NOT logName:"{_AUDIT}"'
_LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, the source that it is of, and the execution that it belongs to ("" for none)."""

    source: str
    execution: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines are wanted.

    sources: of SOURCES; since: None for all that is kept; severity: the lowest; execution: an id,
    "" for all.
    """

    sources: Sequence[str] = USUAL
    since: datetime | None = None
    severity: str = ""
    execution: str = ""


def newest(cloud: Cloud, spec: PipelineSpec, wanted: Selection) -> Iterator[Line]:
    """The lines, the newest first; only a page is held."""
    return _lines(cloud, spec, wanted, newest_first=True)


@dataclass(slots=True)
class Tail:
    """Lines that come after those that were read already."""

    cloud: Cloud
    spec: PipelineSpec
    wanted: Selection
    _seen: dict[tuple[datetime, str], None] = field(default_factory=dict)
    _first: datetime | None = None
    _latest: datetime | None = None

    def saw(self, line: Line) -> None:
        """This line was read; nothing before the first such one is what comes."""
        self._first = self._first or line.entry.time
        self._seen[line.entry.time, line.entry.insert_id] = None
        self._latest = max(self._latest or line.entry.time, line.entry.time)

    def look(self) -> Iterator[Line]:
        """What has come since the last look, oldest first."""
        since = self.wanted.since
        if self._first and self._latest:
            since = max(self._first, self._latest - _LATE)
        wanted = replace(self.wanted, since=since)
        for line in _lines(self.cloud, self.spec, wanted, newest_first=False):
            if (line.entry.time, line.entry.insert_id) not in self._seen:
                self.saw(line)
                yield line
        self._forget()

    def _forget(self) -> None:
        if self._latest is not None:
            oldest = self._latest - 2 * _LATE
            self._seen = {key: None for key in self._seen if key[0] >= oldest}


def of_execution(cloud: Cloud, spec: PipelineSpec, execution: str, most: int) -> list[Line]:
    """What the services and the workflow said of one execution, oldest first: the last `most`."""
    found = newest(cloud, spec, Selection(execution=execution))
    return list(islice(found, most))[::-1]


def _lines(
    cloud: Cloud, spec: PipelineSpec, wanted: Selection, *, newest_first: bool
) -> Iterator[Line]:
    where = _filter(cloud, spec, wanted)
    if where:
        entries = cloud.logging.each(spec.names.project, where, newest_first=newest_first)
        for entry in entries:
            yield Line(_source(spec, entry), _execution(entry), entry)


def _filter(cloud: Cloud, spec: PipelineSpec, wanted: Selection) -> str:
    """The filter of Cloud Logging; "" where no entry can be meant."""
    places = [place for source in wanted.sources if (place := _place(cloud, spec, source))]
    if not places:
        return ""
    parts = [f"({' OR '.join(places)})"]
    if wanted.since:
        parts.append(f'timestamp>="{wanted.since.isoformat()}"')
    if wanted.severity:
        parts.append(f"severity>={wanted.severity}")
    if wanted.execution:
        one = quoted(wanted.execution)
        parts.append(f'(labels."{_EXECUTION}"={one} OR jsonPayload.execution_id={one})')
    return " AND ".join(parts)


def _place(cloud: Cloud, spec: PipelineSpec, source: str) -> str:
    names = spec.names
    if source == AUDIT:
        ours = quoted(f"/({'|'.join(map(re.escape, _audited(spec)))})(/|$)")
        return f'(logName:"{_AUDIT}" AND protoPayload.resourceName=~{ours})'
    if source == BUILD:
        tags = tuple(f"{names.service(service)}-" for service in SERVICES)
        builds = cloud.builds.newest(names.project, names.location, tags)
        ids = " OR ".join(f'resource.labels.build_id="{one.build_id}"' for one in builds)
        return f'(resource.type="build" AND ({ids}){_NO_AUDIT})' if ids else ""
    kind, label, name = (
        ("workflows.googleapis.com/Workflow", "workflow_id", names.workflow)
        if source == WORKFLOW
        else ("cloud_run_revision", "service_name", names.service(source))
    )
    return (
        f'(resource.type="{kind}" AND resource.labels.{label}="{name}" '
        f'AND resource.labels.location="{names.region}"{_NO_AUDIT})'
    )


def _audited(spec: PipelineSpec) -> list[str]:
    """What audit logs call the pipeline's resources, each by the last part of its name."""
    names = spec.names
    return [
        *map(names.bucket, (*BUCKETS, LOGS)),
        *map(names.service, SERVICES),
        *map(names.account, ACCOUNTS),
        names.workflow,
        names.trigger,
        names.repository,
    ]


def quoted(text: str) -> str:
    """A text as the filter language takes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _source(spec: PipelineSpec, entry: Entry) -> str:
    if entry.log.startswith(_AUDIT):
        return AUDIT
    if entry.resource_type == "build":
        return BUILD
    service = entry.resource_labels.get("service_name", "")
    return service.removeprefix(f"{spec.names.prefix}-") or WORKFLOW


def _execution(entry: Entry) -> str:
    return entry.labels.get(_EXECUTION) or str(entry.fields.get("execution_id") or "")
