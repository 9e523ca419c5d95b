"""Shapes and parameter names of the encoder; the one place that training and building share."""

LAYERS = 6
HIDDEN = 384
HEADS = 12
EPSILON = 1e-12
RANK = 8
SCALE = 2.0
_LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


def linear_names() -> list[str]:
    """Every linear layer of the encoder, in the order of computation."""
    return [f"encoder.layer.{index}.{part}" for index in range(LAYERS) for part in _LINEAR]


def norm_names() -> list[str]:
    """Every LayerNorm, in the order of computation."""
    names = ["embeddings.LayerNorm"]
    for index in range(LAYERS):
        names.append(f"encoder.layer.{index}.attention.output.LayerNorm")
        names.append(f"encoder.layer.{index}.output.LayerNorm")
    return names
