"""How many CPUs this process may use: its affinity and its cgroup's quota, whichever is less."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """At least 1."""
    present = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota(cgroup)
    return max(1, min(present or 1, quota or present or 1))


def _quota(cgroup: Path) -> int | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text("ascii").split()
        if limit == "max":
            return None
        # Half a CPU is one thread, one and a half are two.
        return -(-int(limit) // int(period))
    except (OSError, ValueError):
        return None  # no cgroup v2 here: the affinity decides
