"""The daemon's own process: one local cloud over HOME, until it is asked to end.

`python -m gpupipe.localcloud.daemon HOME [--ready-fd N]`: writes where it is into HOME/daemon.json
and, when it answers, into the pipe; ends on SIGTERM, SIGINT or POST /control/stop, leaving no port
and no child process.
"""

import argparse
import gc
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from gpupipe import __version__
from gpupipe.core.clock import SystemClock
from gpupipe.core.process import process_start
from gpupipe.localcloud.cloud import ANY_PORTS, LocalCloud, Ports
from gpupipe.localcloud.daemon_state import (
    DaemonInfo,
    only_daemon,
    state_file,
    to_json,
)
from gpupipe.localcloud.kernel.secret_file import write_secret
from gpupipe.localcloud.settings import Settings

_log = logging.getLogger("gpupipe.localcloud")
_PORTS = "ports"


def main(arguments: list[str]) -> int:
    """Run the daemon; returns when it has ended."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # One line per request of a client library would drown ours, and could name query strings.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    home: Path = options.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with only_daemon(home, SystemClock()):
            _serve(home, options.ready_fd)
    except BlockingIOError:
        _log.error("another daemon runs over %s", home)
        return 1
    _log.info("ended")
    _leave()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpupipe.localcloud.daemon")
    parser.add_argument("home", type=Path)
    parser.add_argument("--ready-fd", type=int, default=None)
    return parser


def _serve(home: Path, ready_fd: int | None) -> None:
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    # Addresses of services stand in workflows and in users' notes: they outlive a restart.
    ports = _last_ports(home)
    cloud = LocalCloud(Settings(home), SystemClock(), on_stop=end.set, ports=ports)
    cloud.start()
    # What was imported stays: the collector need not look through it ever again.
    gc.freeze()
    try:
        info = _info(home, cloud)
        write_secret(home / _PORTS, _ports_of(info))
        write_secret(state_file(home), to_json(info))
        _log.info("version %s answers at %s and grpc %s", info.version, info.http, info.grpc)
        _announce(ready_fd, info)
        end.wait()
        _log.info("asked to end")
    finally:
        state_file(home).unlink(missing_ok=True)
        cloud.stop()


def _last_ports(home: Path) -> Ports:
    try:
        http, grpc = (int(word) for word in (home / _PORTS).read_text().split())
    except (OSError, ValueError):
        return ANY_PORTS
    return Ports(http, grpc)


def _ports_of(info: DaemonInfo) -> bytes:
    return " ".join(address.rpartition(":")[2] for address in (info.http, info.grpc)).encode()


def _info(home: Path, cloud: LocalCloud) -> DaemonInfo:
    settings = Settings(home)
    return DaemonInfo(
        grpc=cloud.grpc,
        http=cloud.http,
        token_file=settings.token,
        adc_file=settings.credentials,
        project=cloud.project.id,
        project_number=cloud.project.number,
        region=settings.region,
        pid=os.getpid(),
        version=__version__,
        started=process_start(os.getpid()) or 0,
    )


def _announce(ready_fd: int | None, info: DaemonInfo) -> None:
    if ready_fd is None:
        return
    # Whoever started us may have gone; the state file tells the others.
    with suppress(BrokenPipeError), os.fdopen(ready_fd, "wb") as pipe:
        pipe.write(to_json(info))


def _leave() -> None:
    """End now: a worker thread that did not stop in time must not keep the process alive."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
