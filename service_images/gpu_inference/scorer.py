"""Rows to class probabilities: the protocol and the onnxruntime one.

Contract: windows of ids are padded to the longest of their batch and masked, so the answer of a row
does not depend on its company; probabilities come as float64, of logits the softmax.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from common.bundle import TYPE_IDS, Bundle
from common.manifest import Tokenizer
from gpu_inference.batcher import Probabilities
from gpu_inference.inputs import Row
from gpu_inference.session import Device

Feed = Callable[[Sequence[Row]], Mapping[str, Any]]


class Scorer(Protocol):
    """Blocks; may be called from several threads at once."""

    @property
    def device(self) -> Device:
        """What it runs on."""

    def score(self, rows: Sequence[Row]) -> list[Probabilities]:
        """The probabilities of each row, in the model's order of labels."""


class OnnxScorer:
    """Runs an onnxruntime session on the rows of a bundle's model."""

    def __init__(self, session: Any, device: Device, bundle: Bundle) -> None:
        self._session = session
        self._device = device
        self._feed = feed_of(bundle)
        self._output = bundle.manifest.output
        self._logits = bundle.manifest.logits

    @property
    def device(self) -> Device:
        """What it runs on."""
        return self._device

    def score(self, rows: Sequence[Row]) -> list[Probabilities]:
        """The probabilities of each row."""
        found = self._session.run([self._output], self._feed(rows))[0].astype(np.float64)
        if self._logits:
            found = np.exp(found - found.max(axis=-1, keepdims=True))
            found /= found.sum(axis=-1, keepdims=True)
        answers: list[Probabilities] = found.tolist()
        return answers


def feed_of(bundle: Bundle) -> Feed:
    """What makes a batch of rows into the graph's inputs."""
    reader = bundle.manifest.reader
    if not isinstance(reader, Tokenizer):
        (name,) = bundle.facts.inputs
        return lambda rows: {name: np.stack([np.asarray(row, np.float32) for row in rows])}
    with_types = TYPE_IDS in bundle.facts.inputs

    def feed(rows: Sequence[Row]) -> Mapping[str, Any]:
        ids = np.full((len(rows), max(map(len, rows))), reader.pad_id, np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        types = {TYPE_IDS: np.zeros_like(ids)} if with_types else {}
        return {"input_ids": ids, "attention_mask": mask, **types}

    return feed
