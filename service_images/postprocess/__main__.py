"""Starts the postprocess service."""

import sys

from common.clock import SystemClock
from common.google_store import open_google_store
from common.server import run, serve
from common.settings import Environment
from postprocess.app import create_app, read_settings


def main(environment: Environment) -> int:
    """Runs until a signal; gives the exit code."""
    settings = read_settings(environment)
    return serve(
        lambda _stop: create_app(
            settings, lambda: open_google_store(settings.project), SystemClock()
        ),
        host=settings.host,
        port=settings.port,
    )


if __name__ == "__main__":
    sys.exit(run(main))
