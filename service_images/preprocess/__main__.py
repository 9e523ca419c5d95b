"""Starts the preprocess service."""

import sys

from common.clock import SystemClock
from common.google_store import open_google_store
from common.server import run, serve
from common.settings import Environment
from preprocess.app import create_app, read_settings


def main(environment: Environment) -> int:
    """Runs until a signal; gives the exit code."""
    settings = read_settings(environment)
    service = settings.service
    return serve(
        lambda _stop: create_app(
            settings, lambda: open_google_store(service.project), SystemClock()
        ),
        host=service.host,
        port=service.port,
    )


if __name__ == "__main__":
    sys.exit(run(main))
