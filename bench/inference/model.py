"""The one model that all servers serve, on a CPU or on a simulated device.

The simulated device tokenizes for real and then is busy for a fixed time and a little more for each
row, one batch at a time, as an accelerator is; its answers are all the same. It measures servers, not
models.
"""

import threading
import time
from collections.abc import Sequence

import onnxruntime

from common.bundle import read_folder
from gpu_inference.inputs import Inputs, Row
from gpu_inference.loading import BAKED, inputs_of
from gpu_inference.scorer import OnnxScorer, Scorer
from gpu_inference.session import Device, open_session

LAUNCH_S = 0.003
ROW_S = 0.000_05
BUNDLE = read_folder(BAKED)
LABELS = BUNDLE.manifest.labels


class SimulatedDevice:
    """Busy for LAUNCH_S and ROW_S for each row."""

    device = Device(cuda=True, label="simulated")

    def __init__(self) -> None:
        self._busy = threading.Lock()

    def score(self, rows: Sequence[Row]) -> list[list[float]]:
        """The same probabilities for every row."""
        with self._busy:
            time.sleep(LAUNCH_S + ROW_S * len(rows))
        return [[0.2, 0.3, 0.5] for _ in rows]


def scorer(device: str) -> Scorer:
    """For "cpu" or "simulated"."""
    if device == "simulated":
        return SimulatedDevice()
    opened = open_session(onnxruntime, BUNDLE.graph, wanted="cpu", cpus=2, emulated="")
    return OnnxScorer(opened.session, opened.device, BUNDLE)


def inputs() -> Inputs:
    """Texts to rows."""
    return inputs_of(BUNDLE, 16)


def answer(probabilities: Sequence[float]) -> dict[str, object]:
    """What the peers answer for a text."""
    scores = dict(zip(LABELS, probabilities, strict=True))
    label = max(scores, key=scores.__getitem__)
    return {"label": label, "score": scores[label], "scores": scores}
