"""Windows of token ids to class probabilities: the protocol and the onnxruntime one.

Contract: rows are padded to the longest of their batch and masked, so the answer of a row does
not depend on its company; probabilities come as float64.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from gpu_inference.batcher import Probabilities
from gpu_inference.session import Device
from gpu_inference.windows import Window


class Scorer(Protocol):
    """Blocks; may be called from several threads at once."""

    @property
    def device(self) -> Device:
        """What it runs on."""

    def score(self, rows: Sequence[Window]) -> list[Probabilities]:
        """The probabilities of each row, in the model's order of labels."""


class OnnxScorer:
    """Runs an onnxruntime session."""

    def __init__(self, session: Any, device: Device) -> None:
        self._session = session
        self._device = device

    @property
    def device(self) -> Device:
        """What it runs on."""
        return self._device

    def score(self, rows: Sequence[Window]) -> list[Probabilities]:
        """The probabilities of each row."""
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        found = self._session.run(["probabilities"], feed)[0]
        answers: list[Probabilities] = found.astype(np.float64).tolist()
        return answers
