"""Measures what the longest permitted text costs a CPU: processor time for each full window.

Usage: PYTHONPATH=service_images python -m bench.window. Processor time, not the clock's: other
processes on the machine then count little. The limit of windows on a CPU follows from it.
"""

import statistics
import time

import onnxruntime

from common.bundle import read_folder
from common.manifest import Tokenizer
from gpu_inference.inputs import Row
from gpu_inference.loading import BAKED
from gpu_inference.scorer import OnnxScorer
from gpu_inference.session import open_session

ROUNDS = 5
BATCH = 8


def main() -> None:
    """Measure and print."""
    bundle = read_folder(BAKED)
    opened = open_session(onnxruntime, bundle.graph, wanted="cpu", cpus=1, emulated="")
    scorer = OnnxScorer(opened.session, opened.device, bundle)
    # Any ids will do: the work depends on the length alone.
    assert isinstance(bundle.manifest.reader, Tokenizer)  # noqa: S101 - the default model
    window: Row = [100 + number for number in range(bundle.manifest.reader.max_tokens)]
    scorer.score([window])
    found = sorted(seconds(scorer, [window] * BATCH) for _ in range(ROUNDS))
    print(
        f"processor seconds for a window of {len(window)} tokens: "
        f"{found[0]:.3f} to {found[-1]:.3f}, median {statistics.median(found):.3f}"
    )


def seconds(scorer: OnnxScorer, rows: list[Row]) -> float:
    """Processor time of one batch, for each of its windows."""
    began = time.process_time()
    scorer.score(rows)
    return (time.process_time() - began) / len(rows)


if __name__ == "__main__":
    main()
