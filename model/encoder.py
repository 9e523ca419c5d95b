"""The MiniLM encoder with low-rank adapters in plain torch; used for training only.

Contract: `Encoder(base)` holds the pinned weights unchanged and learns only what `delta()`
returns: A and B of every linear layer, and the differences of biases and LayerNorm parameters
and the classification head. The arithmetic is the one that `graph.py` writes as ONNX.
"""

# The checks run where torch, a 200 MB package, is not installed: all it gives is then Any.
# mypy: disable-error-code="import-not-found, misc"

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layout import EPSILON, HEADS, HIDDEN, LAYERS, RANK, SCALE, linear_names, norm_names

_DROPOUT = 0.1


def _key(name: str) -> str:
    # Parameter names must not hold dots, the names of the base file do.
    return name.replace(".", "/")


class Encoder(nn.Module):
    """Text ids to three logits: encoder, mean pooling, linear head."""

    def __init__(self, base: Mapping[str, npt.NDArray[np.float32]]) -> None:
        super().__init__()
        self.frozen = {
            name: torch.from_numpy(value.copy())
            for name, value in base.items()
            if value.dtype == np.float32
        }
        self.learned = nn.ParameterDict()
        for name in linear_names():
            rows, columns = self.frozen[f"{name}.weight"].shape
            self._learn(f"{name}.lora_a", torch.randn(RANK, columns) / math.sqrt(columns))
            self._learn(f"{name}.lora_b", torch.zeros(rows, RANK))
            self._learn(f"{name}.bias", self.frozen[f"{name}.bias"].clone())
        for name in norm_names():
            self._learn(f"{name}.weight", self.frozen[f"{name}.weight"].clone())
            self._learn(f"{name}.bias", self.frozen[f"{name}.bias"].clone())
        self._learn("head.weight", torch.randn(3, HIDDEN) * 0.02)
        self._learn("head.bias", torch.zeros(3))

    def _learn(self, name: str, value: Tensor) -> None:
        self.learned[_key(name)] = nn.Parameter(value)

    def _get(self, name: str) -> Tensor:
        value: Tensor = self.learned[_key(name)]
        return value

    def _linear(self, name: str, x: Tensor) -> Tensor:
        # The adapter stays a side path here: the gradient of the full weight is never formed.
        side = functional.linear(
            functional.linear(x, self._get(f"{name}.lora_a")), self._get(f"{name}.lora_b")
        )
        whole = functional.linear(x, self.frozen[f"{name}.weight"], self._get(f"{name}.bias"))
        return whole + SCALE * side

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(
            x, (HIDDEN,), self._get(f"{name}.weight"), self._get(f"{name}.bias"), EPSILON
        )

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, _DROPOUT, self.training)

    def _attention(self, prefix: str, x: Tensor, mask: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        split = (batch, tokens, HEADS, HIDDEN // HEADS)
        query, key, value = (
            self._linear(f"{prefix}.attention.self.{part}", x).view(split).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = mixed.transpose(1, 2).reshape(batch, tokens, HIDDEN)
        return self._linear(f"{prefix}.attention.output.dense", joined)

    def _layer(self, prefix: str, x: Tensor, mask: Tensor) -> Tensor:
        attended = self._drop(self._attention(prefix, x, mask))
        x = self._norm(f"{prefix}.attention.output.LayerNorm", x + attended)
        inner = functional.gelu(self._linear(f"{prefix}.intermediate.dense", x))
        outer = self._drop(self._linear(f"{prefix}.output.dense", inner))
        return self._norm(f"{prefix}.output.LayerNorm", x + outer)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits [batch, 3] of `ids` [batch, tokens] where `mask` is 1."""
        words = functional.embedding(ids, self.frozen["embeddings.word_embeddings.weight"])
        places = self.frozen["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kind = self.frozen["embeddings.token_type_embeddings.weight"][0]
        x = self._drop(self._norm("embeddings.LayerNorm", words + places + kind))
        seen = mask[:, None, None, :].bool()
        for index in range(LAYERS):
            x = self._layer(f"encoder.layer.{index}", x, seen)
        weights = mask[:, :, None].to(x.dtype)
        pooled = (x * weights).sum(1) / weights.sum(1)
        return functional.linear(
            self._drop(pooled), self._get("head.weight"), self._get("head.bias")
        )

    def delta(self, temperature: float = 1.0) -> dict[str, npt.NDArray[np.float16]]:
        """What was learned, as float16; dividing the head makes the probabilities calibrated."""
        result = {}
        for key, value in self.learned.items():
            name = key.replace("/", ".")
            tensor = value.detach()
            if name.startswith("head."):
                tensor = tensor / temperature
            elif name in self.frozen:
                tensor = tensor - self.frozen[name]
            result[name] = tensor.numpy().astype(np.float16)
        return result
