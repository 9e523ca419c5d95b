"""Our service as it is, without a bucket: `python -m bench.inference.ours PORT DEVICE`."""

import sys

from bench.inference import model
from bench.inference.nowhere import Nowhere
from common.clock import SystemClock
from common.server import serve
from common.settings import Environment
from gpu_inference.app import create_app, read_settings
from gpu_inference.loading import Ready, build_engine


def main(port: int, device: str) -> int:
    """Serve until a signal."""
    settings, clock = (
        read_settings(Environment({"DEVICE": "cpu", "WORK_BUCKET": "work"})),
        SystemClock(),
    )

    def load() -> Ready:
        scorer = model.scorer(device)
        return Ready(Nowhere(), build_engine(settings.model, model.BUNDLE, scorer, clock))

    return serve(lambda stop: create_app(settings, load, clock, stop), host="127.0.0.1", port=port)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
