"""Quotas of projects: a fresh project's values, changed at run time by the control surface.

Cloud Quotas shows them, and Cloud Run refuses what does not fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS quotas (
    project TEXT NOT NULL, service TEXT NOT NULL, quota_id TEXT NOT NULL, region TEXT NOT NULL,
    value INTEGER NOT NULL, PRIMARY KEY (project, service, quota_id, region))"""
_RUN = "run.googleapis.com"

# gcp-facts §1: CPU in thousandths, memory in bytes; three L4 without zonal redundancy is what the
# first GPU deploy of a new project was seen to get (others got none: UNSURE by project).
DEFAULTS: Mapping[tuple[str, str], int] = {
    (_RUN, "CpuAllocPerProjectRegion"): 20_000,
    (_RUN, "MemAllocPerProjectRegion"): 42_949_672_960,
    (_RUN, "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"): 3,
    (_RUN, "NvidiaL4GpuAllocPerProjectRegion"): 0,
    (_RUN, "NvidiaRtxPro6000GpuAllocNoZonalRedundancyPerProjectRegion"): 0,
    (_RUN, "NvidiaRtxPro6000GpuAllocPerProjectRegion"): 0,
}


UNITS: Mapping[tuple[str, str], str] = {
    key: {"Cpu": "millicpu", "Mem": "bytes"}.get(key[1][:3], "gpus") for key in DEFAULTS
}


@dataclass(frozen=True, slots=True)
class Limits:
    """One quota of a project: its default, and the regions where the limit is another one."""

    service: str
    quota_id: str
    unit: str
    default: int
    regions: Mapping[str, int]


class Quotas:
    """Limits by project, service, quota id and region."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)

    def limit(self, project: str, service: str, quota_id: str, region: str) -> int:
        """The limit in force; NOT_FOUND for a quota that is not emulated."""
        if (service, quota_id) not in DEFAULTS:
            raise not_found(f"Quota {quota_id} of {service} was not found.")
        row = (
            self._database.read()
            .execute(
                "SELECT value FROM quotas "
                "WHERE project=? AND service=? AND quota_id=? AND region=?",
                (project, service, quota_id, region),
            )
            .fetchone()
        )
        return DEFAULTS[service, quota_id] if row is None else int(row["value"])

    def set(self, project: str, service: str, quota_id: str, region: str, value: int) -> None:
        """Put another limit in force; NOT_FOUND for a quota that is not emulated."""
        self.limit(project, service, quota_id, region)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO quotas VALUES (?, ?, ?, ?, ?)",
                (project, service, quota_id, region, value),
            )

    def all(self, project: str) -> tuple[Limits, ...]:
        """Every quota of a project."""
        return tuple(
            Limits(
                service,
                quota_id,
                UNITS[service, quota_id],
                default,
                {
                    region: self.limit(project, service, quota_id, region)
                    for region in self.regions(project, service, quota_id)
                },
            )
            for (service, quota_id), default in DEFAULTS.items()
        )

    def regions(self, project: str, service: str, quota_id: str) -> tuple[str, ...]:
        """The regions where the limit is not the default one, by name."""
        rows = self._database.read().execute(
            "SELECT region FROM quotas WHERE project=? AND service=? AND quota_id=? "
            "ORDER BY region",
            (project, service, quota_id),
        )
        return tuple(row["region"] for row in rows)
