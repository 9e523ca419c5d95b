"""What is known of a daemon from outside: its state file, its locks, whether it lives.

Everything here is light (standard library only): every command of the CLI asks it first. A daemon
holds `daemon.lock` for as long as it lives, so "does one run over this folder" is asked of the
system, not of a number in a file; pid and start time say which process it is.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.core.process import process_start

_FILE = "daemon.json"
_LOCK = "daemon.lock"
_PROBE_S = 1.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """A running daemon.

    grpc: "127.0.0.1:PORT"; http: "http://127.0.0.1:PORT"; token_file, adc_file: 0600 files;
    started: the process's start in clock ticks since boot, which tells it from a later process
    of the same pid; notice: what `ensure_running` did that a person should know, or ''.
    """

    grpc: str
    http: str
    token_file: Path
    adc_file: Path
    project: str
    project_number: int
    region: str
    pid: int
    version: str
    started: int
    notice: str = ""

    def token(self) -> str:
        """The operator's token."""
        return self.token_file.read_text(encoding="utf-8").strip()


class StateError(ValueError):
    """The state file is there and is not one of ours."""


def state_file(home: Path) -> Path:
    """Where a daemon over `home` says where it is."""
    return home / _FILE


def to_json(info: DaemonInfo) -> bytes:
    """The contents of a state file; it names the token's file, never the token."""
    values = asdict(info) | {"token_file": str(info.token_file), "adc_file": str(info.adc_file)}
    values.pop("notice")
    return json.dumps(values, indent=2).encode() + b"\n"


def from_json(data: bytes) -> DaemonInfo:
    """Read back what `to_json` made; StateError for anything else."""
    try:
        values = json.loads(data)
        values["token_file"] = Path(values["token_file"])
        values["adc_file"] = Path(values["adc_file"])
        info = DaemonInfo(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(str(error)) from error
    for one in fields(DaemonInfo):
        # The annotations are classes.
        if not isinstance(getattr(info, one.name), one.type):  # type: ignore[arg-type]
            raise StateError(f"{one.name} is of another type")
    return info


def read_state(home: Path) -> DaemonInfo | None:
    """What the state file says, or None without one; StateError when it is corrupt."""
    try:
        return from_json(state_file(home).read_bytes())
    except FileNotFoundError:
        return None


def is_alive(home: Path) -> bool:
    """Whether a daemon runs over this folder: whether somebody holds its lock."""
    try:
        with _locked(home / _LOCK):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def holder(home: Path) -> tuple[int, int] | None:
    """(pid, start) of the process that took the daemon's lock last; needs no state file."""
    try:
        pid, started = (home / _LOCK).read_text(encoding="utf-8").split()
        return int(pid), int(started)
    except (FileNotFoundError, ValueError):
        return None


@contextmanager
def only_daemon(home: Path, clock: Clock) -> Iterator[None]:
    """Hold the lock of the one daemon over a folder; BlockingIOError when another has it."""
    deadline = clock.monotonic() + _PROBE_S
    with ExitStack() as stack:
        while True:
            try:
                descriptor = stack.enter_context(_locked(home / _LOCK))
                break
            except BlockingIOError:
                # Perhaps only somebody asking `is_alive`, who holds it for a moment.
                if clock.monotonic() >= deadline:
                    raise
                clock.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {process_start(os.getpid())}\n".encode(), 0)
        yield


@contextmanager
def only_starter(home: Path, clock: Clock, timeout_s: float) -> Iterator[None]:
    """Be the only one who starts or stops a daemon over a folder; waits for others to finish."""
    deadline = clock.monotonic() + timeout_s
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_locked(home / "start.lock"))
                break
            except BlockingIOError:
                if clock.monotonic() >= deadline:
                    raise _busy(home, timeout_s) from None
                clock.sleep(_POLL_S)
        yield


def _busy(home: Path, timeout_s: float) -> GpupipeError:
    return GpupipeError(
        f"Another command has been starting or stopping the local cloud for {timeout_s:.0f} s.",
        resource=str(home),
        resolution="Wait for it or end it, then run the command again.",
        doc="reference/local-cloud.md",
    )


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        # Closing gives the lock back; the file stays, or two could lock two files of one name.
        os.close(descriptor)
