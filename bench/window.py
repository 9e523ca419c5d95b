"""Measures what the longest permitted text costs a CPU: processor time for each full window.

Usage: PYTHONPATH=service_images python -m bench.window. Processor time, not the clock's: other
processes on the machine then count little. The limit of windows on a CPU follows from it.
"""

import statistics
import time

import onnxruntime

from gpu_inference.bundle import read_folder
from gpu_inference.scorer import OnnxScorer
from gpu_inference.session import open_session

ROUNDS = 5
BATCH = 8


def main() -> None:
    """Measure and print."""
    bundle = read_folder()
    opened = open_session(onnxruntime, bundle.graph, wanted="cpu", cpus=1, emulated="")
    scorer = OnnxScorer(opened.session, opened.device)
    # Any ids will do: the work depends on the length alone.
    window = [100 + number for number in range(bundle.manifest.max_tokens)]
    scorer.score([window])
    found = sorted(seconds(scorer, [window] * BATCH) for _ in range(ROUNDS))
    print(
        f"processor seconds for a window of {len(window)} tokens: "
        f"{found[0]:.3f} to {found[-1]:.3f}, median {statistics.median(found):.3f}"
    )


def seconds(scorer: OnnxScorer, rows: list[list[int]]) -> float:
    """Processor time of one batch, for each of its windows."""
    began = time.process_time()
    scorer.score(rows)
    return (time.process_time() - began) / len(rows)


if __name__ == "__main__":
    main()
