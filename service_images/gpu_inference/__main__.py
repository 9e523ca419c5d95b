"""Starts the gpu-inference service."""

import sys

import onnxruntime

from common.clock import SystemClock
from common.google_store import open_google_store
from common.server import run, serve
from common.settings import Environment
from gpu_inference.app import create_app, read_settings
from gpu_inference.loading import Ready, load


def main(environment: Environment) -> int:
    """Runs until a signal; gives the exit code, 1 where the device asked for is not there."""
    settings = read_settings(environment)
    service, clock = settings.service, SystemClock()

    def ready() -> Ready:
        return load(settings.model, onnxruntime, lambda: open_google_store(service.project), clock)

    return serve(
        lambda stop: create_app(settings, ready, clock, stop),
        host=service.host,
        port=settings.port,
    )


if __name__ == "__main__":
    sys.exit(run(main))
