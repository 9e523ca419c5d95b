"""Which process: a pid alone may name another one later, and means nothing on another machine."""

import getpass
import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: where its pid counts, the pid, and its start in clock ticks since boot."""

    space: str
    pid: int
    started: int


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, also spaces; what follows it is fields.
    fields = text.rpartition(")")[2].split()
    state, started = fields[0], int(fields[19])
    return None if state in {"Z", "X"} else started


def this_process() -> ProcessId | None:
    """This process; None on a system without /proc."""
    started = process_start(os.getpid())
    return None if started is None else ProcessId(_space(), os.getpid(), started)


def has_ended(process: ProcessId) -> bool:
    """True when it is certain that it has; of another machine, container or user nothing is."""
    here = this_process()
    if here is None or here.space != process.space:
        return False
    return process_start(process.pid) != process.started


def _space() -> str:
    """This boot, set of pids and user, as a name that tells nothing about them."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    pids = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot} {pids} {os.getuid()}".encode()).hexdigest()[:16]


def user_at_host() -> str:
    """Who runs this, in words for other people: "alice@laptop"."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
