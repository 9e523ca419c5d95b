"""Runs an application the way Cloud Run wants it: bound at once, gone soon after SIGTERM."""

import logging
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette

from common import logs
from common.one_write import in_one_write
from common.settings import Environment, SettingError

_log = logging.getLogger(__name__)

# Cloud Run kills the container 10 seconds after SIGTERM.
_GRACE_S = 8
# Longer than any client keeps an idle connection: a request never meets a closing one.
_KEEP_ALIVE_S = 75


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def serve(create: Callable[[Callable[[], None]], Starlette], *, host: str, port: int) -> int:
    """Serves until a signal; gives the exit code: 1 after the application called its argument."""
    failed = False

    def stop_failed() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    config = uvicorn.Config(
        create(stop_failed),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    config.load()
    config.http_protocol_class = in_one_write(config.http_protocol_class)
    server = uvicorn.Server(config)
    # uvicorn shuts down in order and then raises the signal again; this makes that an exit 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    server.run()
    return 1 if failed or not server.started else 0


def run(main: Callable[[Environment], int]) -> int:
    """Runs a service's `main` with JSON logs; gives its exit code, 2 for a wrong setting."""
    logs.configure()
    try:
        return main(Environment(os.environ))
    except SettingError as error:
        _log.critical("cannot start: %s", error)
        return 2
