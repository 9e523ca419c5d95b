"""The daemon of the local cloud, from outside: make sure that it runs, ask it, stop it.

`ensure_running` is what every local command calls first; it starts the daemon as a process of its
own (see `daemon_process`) and returns when requests are answered. Also the daemon's entry:
`python -m gpupipe.localcloud.daemon HOME`.
"""

import json
import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from gpupipe import __version__
from gpupipe.core.clock import Clock, SystemClock
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.process import process_start
from gpupipe.localcloud.daemon_state import (
    DaemonInfo,
    StateError,
    from_json,
    holder,
    is_alive,
    only_starter,
    read_state,
    state_file,
)

_START_S = 30.0
_STOP_S = 15.0
_ANSWER_S = 5.0
_POLL_S = 0.02
_LOG_TAIL = 2_000
_LOG_BYTES = 5_000_000
_DOC = "reference/local-cloud.md"

# What the daemon needs of the user's environment: where programs, temporary files and certificates
# are, and how packages are fetched for builds. Never credentials of a cloud.
_ENVIRONMENT = frozenset(
    {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "XDG_CACHE_HOME", "GPUPIPE_BUILD_CACHE"}
)
_ENVIRONMENT_PREFIXES = ("LC_", "UV_", "PIP_", "SSL_CERT_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy"})

# Daemons that this process started. Kept, because a Popen that is collected while its process runs
# warns; the daemon outlives us on purpose.
_started: list[subprocess.Popen[bytes]] = []


def ensure_running(home: Path, *, clock: Clock | None = None) -> DaemonInfo:
    """The daemon over `home`, started when none runs, restarted when it is older than this CLI.

    Raises GpupipeError when it does not start. A corrupt or stale state file is replaced, and the
    info's `notice` says so.
    """
    clock = clock or SystemClock()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    running = _current(home)
    if running is not None:
        return running
    with only_starter(home, clock, _START_S * 2):
        # Somebody else may have started it while we waited.
        running = _current(home)
        if running is not None:
            return running
        notice = _clear_away(home, clock)
        return replace(_launch(home), notice=notice)


def status(home: Path) -> DaemonInfo | None:
    """The running daemon over `home`, or None. Starts nothing."""
    if not home.is_dir() or not is_alive(home):
        return None
    try:
        return read_state(home)
    except StateError:
        return None


def stop(home: Path, *, clock: Clock | None = None) -> bool:
    """Stop the daemon and all that it runs; False when none runs. State is kept.

    It is asked first; one that does not answer gets SIGTERM, and SIGKILL when time is up.
    """
    clock = clock or SystemClock()
    if not home.is_dir():
        return False
    with only_starter(home, clock, _START_S * 2):
        return _stop(home, clock)


def call(info: DaemonInfo, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer to one call of the control surface ("/control/…"), or GpupipeError."""
    request = urllib.request.Request(  # noqa: S310  # our own loopback address
        info.http + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {info.token()}", "Content-Type": "application/json"},
    )
    # A proxy of the user's must not see loopback calls.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _refused(info, error) from error
    except (OSError, ValueError) as error:
        raise GpupipeError(
            f"The local cloud did not answer {method} {path}.",
            resource=info.http,
            details=str(error),
            resolution="Run `gpupipe local stop`, then the command again.",
            doc=_DOC,
        ) from error


def _refused(info: DaemonInfo, error: urllib.error.HTTPError) -> GpupipeError:
    """The refusal in the daemon's own words."""
    with error:
        try:
            refusal = json.load(error)["error"]
            words = str(refusal["message"])
        except (OSError, ValueError, LookupError, TypeError):
            words = "The local cloud refused the call."
    return GpupipeError(
        words,
        resource=info.http,
        details=f"HTTP {error.code}",
        resolution="See `gpupipe local --help` for what can be asked of it.",
        doc=_DOC,
        exit=Exit.USAGE if error.code == HTTPStatus.BAD_REQUEST else Exit.FAILED,
    )


def _current(home: Path) -> DaemonInfo | None:
    """A daemon that can be used as it is: alive, recognised, not older than we are."""
    info = status(home)
    if info is None or process_start(info.pid) != info.started:
        return None
    return None if _is_older(info.version) else info


def _clear_away(home: Path, clock: Clock) -> str:
    """End a daemon that cannot be used and remove a state file without one; what was done."""
    notice = ""
    try:
        info = read_state(home)
    except StateError:
        info, notice = (
            None,
            f"The local cloud's state file {state_file(home)} was corrupt; replaced.",
        )
    if is_alive(home):
        if info is not None:
            notice = f"The local cloud was of version {info.version}; restarted as {__version__}."
        _stop(home, clock)
    elif info is not None:
        notice = f"The local cloud (process {info.pid}) had ended without notice; started again."
    state_file(home).unlink(missing_ok=True)
    return notice


def _launch(home: Path) -> DaemonInfo:
    _rotate(home / "daemon.log")
    reader, writer = os.pipe()
    log = os.open(home / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            # -P: what lies in the working folder is not imported.
            [sys.executable, "-P", "-m", __name__, str(home), "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=daemon_environment(os.environ),
            pass_fds=(writer,),
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(log)
        os.close(writer)
    _started.append(process)
    try:
        return from_json(_read_until_closed(reader, _START_S))
    except (StateError, TimeoutError) as error:
        process.kill()
        process.wait()
        raise GpupipeError(
            "The local cloud did not start.",
            resource=str(home),
            details=_tail(home / "daemon.log") or str(error),
            resolution=f"The whole log is in {home / 'daemon.log'}. If it does not help, "
            f"report it, or move {home} away to begin with an empty one.",
            doc=_DOC,
        ) from error
    finally:
        os.close(reader)


def daemon_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment: the few variables that it needs, none that holds credentials."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in _ENVIRONMENT
        or name.startswith(_ENVIRONMENT_PREFIXES)
        or name.lower() in _PROXIES
    }
    return kept | {"GRPC_VERBOSITY": "NONE", "PYTHONUNBUFFERED": "1"}


def _read_until_closed(descriptor: int, timeout_s: float) -> bytes:
    """What comes through a pipe until its other end is closed; TimeoutError."""
    clock, data = SystemClock(), bytearray()
    deadline = clock.monotonic() + timeout_s
    while True:
        left = deadline - clock.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise TimeoutError(f"it was not ready after {timeout_s:.0f} s")
        chunk = os.read(descriptor, 65_536)
        if not chunk:
            return bytes(data)
        data += chunk


def _stop(home: Path, clock: Clock) -> bool:
    if not is_alive(home):
        state_file(home).unlink(missing_ok=True)
        return False
    process = holder(home)
    info = status(home)
    if info is None or not _asked(info):
        _signal(process, signal.SIGTERM)
    if not _wait_gone(home, process, clock):
        _signal(process, signal.SIGKILL)
        if not _wait_gone(home, process, clock):
            raise _does_not_end(home)
    state_file(home).unlink(missing_ok=True)
    return True


def _asked(info: DaemonInfo) -> bool:
    try:
        call(info, "POST", "/control/stop")
    except GpupipeError:
        return False
    return True


def _wait_gone(home: Path, process: tuple[int, int] | None, clock: Clock) -> bool:
    """Until the lock is free and the process, which frees it a moment before its end, is gone."""
    deadline = clock.monotonic() + _STOP_S
    while is_alive(home) or _runs(process):
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(_POLL_S)
    _started[:] = [process for process in _started if process.poll() is None]
    return True


def _runs(process: tuple[int, int] | None) -> bool:
    return process is not None and process_start(process[0]) == process[1]


def _signal(process: tuple[int, int] | None, number: int) -> None:
    """Signal the daemon's process; never another one that has its pid by now."""
    if process is not None and _runs(process):
        os.kill(process[0], number)


def _does_not_end(home: Path) -> GpupipeError:
    return GpupipeError(
        "The local cloud does not end.",
        resource=str(home),
        resolution=f"End the process `python -m gpupipe.localcloud.daemon {home}`, "
        "then run the command again; nothing that it stored is lost.",
        doc=_DOC,
    )


def _is_older(version: str) -> bool:
    return _numbers(version) < _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:].strip()


if __name__ == "__main__":
    from gpupipe.localcloud.daemon_process import main

    sys.exit(main(sys.argv[1:]))
