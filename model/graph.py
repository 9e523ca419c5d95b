"""The classifier as an ONNX graph: encoder, mean pooling, head and softmax in one file.

Contract: `model_bytes(weights)` takes the merged float32 parameters under their names in the
base file (plus `head.weight` and `head.bias`) and gives the serialised model. Inputs are
`input_ids` and `attention_mask`, int64 [batch, tokens], tokens at most MAX_TOKENS; output is
`probabilities`, float32 [batch, 3]. Matrices are stored as int8 with one float32 scale a row or
column and all arithmetic is float32, so the same text gets the same answer in any batch.

The bytes depend on the weights alone: every number comes from single elementwise operations,
whose results IEEE 754 fixes, and protobuf writes the fields in one order.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from model.layout import EPSILON, HEADS, HIDDEN, LAYERS

MAX_TOKENS = 256
_OPSET = 17
_IR_VERSION = 8  # the one of opset 17: older runtimes load it as well
_LABELS = 3
# Added to the score of a padded place: its weight becomes exactly 0 in float32, and the number
# still fits into float16, should someone convert the graph.
_HIDDEN_SCORE = -1e4

Floats = npt.NDArray[np.float32]
Scaled = tuple[npt.NDArray[np.int8], Floats]


def quantise(matrix: Floats, axis: int) -> Scaled:
    """Symmetric int8 values and one scale for each index along `axis`."""
    other = tuple(index for index in range(matrix.ndim) if index != axis)
    peak = np.abs(matrix).max(axis=other, keepdims=True).astype(np.float64)
    # A row of zeros keeps scale 1: any scale stores it exactly, and 0 would divide by zero.
    scale = np.where(peak > 0, peak / 127, 1.0).astype(np.float32)
    steps = np.rint(matrix.astype(np.float64) / scale.astype(np.float64))
    return np.clip(steps, -127, 127).astype(np.int8), scale.reshape(-1)


class _Graph:
    """Collects nodes and constants; every method gives the name of its result."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))

    def number(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        node = helper.make_node(kind, list(inputs), [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def linear(self, name: str, x: str) -> str:
        """x @ W.T + b from an int8 matrix, stored transposed with one scale a column."""
        values, scale = quantise(self.weights[f"{name}.weight"].T, axis=1)
        matrix = self.add(
            "DequantizeLinear",
            f"{name}.dequantised",
            self.constant(f"{name}.int8", values),
            self.constant(f"{name}.scale", scale),
            axis=1,
        )
        product = self.add("MatMul", f"{name}.product", x, matrix)
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add("Add", f"{name}.sum", product, bias)

    def norm(self, name: str, x: str) -> str:
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add(
            "LayerNormalization", f"{name}.out", x, scale, bias, axis=-1, epsilon=EPSILON
        )


def _embeddings(graph: _Graph) -> str:
    """Sum of word, place and kind vectors; only the words that occur leave int8."""
    values, scale = quantise(graph.weights["embeddings.word_embeddings.weight"], axis=0)
    rows = graph.add("Gather", "words.rows", graph.constant("words.int8", values), "input_ids")
    scales = graph.add(
        "Gather", "words.scales", graph.constant("words.scale", scale[:, None]), "input_ids"
    )
    floats = graph.add("Cast", "words.floats", rows, to=TensorProto.FLOAT)
    words = graph.add("Mul", "words.out", floats, scales)
    table = graph.constant("places.table", _places(graph.weights))
    shape = graph.add("Shape", "ids.shape", "input_ids")
    tokens = graph.add("Gather", "ids.tokens", shape, graph.integers("one", 1), axis=0)
    places = graph.add(
        "Slice", "places.out", table, graph.integers("zero", 0), tokens, graph.integers("axis.0", 0)
    )
    return graph.norm("embeddings.LayerNorm", graph.add("Add", "embeddings.sum", words, places))


def _places(weights: Mapping[str, Floats]) -> Floats:
    # A single text is always of kind 0, so its vector is added to the place vectors here.
    places = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    result: Floats = places + weights["embeddings.token_type_embeddings.weight"][0]
    return result


def _mask(graph: _Graph) -> tuple[str, str]:
    """The mask as weights [batch, tokens, 1] and as score offsets [batch, 1, 1, tokens]."""
    floats = graph.add("Cast", "mask.floats", "attention_mask", to=TensorProto.FLOAT)
    weights = graph.add("Unsqueeze", "mask.weights", floats, graph.integers("axis.2", 2))
    absent = graph.add("Sub", "mask.absent", graph.number("one.float", 1.0), floats)
    offsets = graph.add("Mul", "mask.offsets", absent, graph.number("mask.score", _HIDDEN_SCORE))
    wide = graph.add("Unsqueeze", "mask.wide", offsets, graph.integers("axes.1.2", 1, 2))
    return weights, wide


def _heads(graph: _Graph, name: str, x: str, order: tuple[int, ...]) -> str:
    shape = graph.integers("shape.heads", 0, 0, HEADS, HIDDEN // HEADS)
    split = graph.add("Reshape", f"{name}.split", graph.linear(name, x), shape)
    return graph.add("Transpose", f"{name}.heads", split, perm=order)


def _attention(graph: _Graph, prefix: str, x: str, offsets: str) -> str:
    own = f"{prefix}.attention.self"
    query = _heads(graph, f"{own}.query", x, (0, 2, 1, 3))
    key = _heads(graph, f"{own}.key", x, (0, 2, 3, 1))
    value = _heads(graph, f"{own}.value", x, (0, 2, 1, 3))
    raw = graph.add("MatMul", f"{own}.raw", query, key)
    scaled = graph.add(
        "Mul", f"{own}.scaled", raw, graph.number("score.scale", 1 / math.sqrt(HIDDEN // HEADS))
    )
    scores = graph.add("Add", f"{own}.scores", scaled, offsets)
    shares = graph.add("Softmax", f"{own}.shares", scores, axis=-1)
    mixed = graph.add("MatMul", f"{own}.mixed", shares, value)
    back = graph.add("Transpose", f"{own}.back", mixed, perm=(0, 2, 1, 3))
    joined = graph.add(
        "Reshape", f"{own}.joined", back, graph.integers("shape.joined", 0, 0, HIDDEN)
    )
    return graph.linear(f"{prefix}.attention.output.dense", joined)


def _gelu(graph: _Graph, prefix: str, x: str) -> str:
    # The exact form in single operators, which runtimes recognise and fuse.
    scaled = graph.add("Div", f"{prefix}.gelu.scaled", x, graph.number("sqrt.2", math.sqrt(2.0)))
    erf = graph.add("Erf", f"{prefix}.gelu.erf", scaled)
    plus = graph.add("Add", f"{prefix}.gelu.plus", erf, graph.number("one.float", 1.0))
    double = graph.add("Mul", f"{prefix}.gelu.double", x, plus)
    return graph.add("Mul", f"{prefix}.gelu", double, graph.number("half", 0.5))


def _layer(graph: _Graph, index: int, x: str, offsets: str) -> str:
    prefix = f"encoder.layer.{index}"
    attended = _attention(graph, prefix, x, offsets)
    first = graph.add("Add", f"{prefix}.attended", attended, x)
    x = graph.norm(f"{prefix}.attention.output.LayerNorm", first)
    inner = _gelu(graph, prefix, graph.linear(f"{prefix}.intermediate.dense", x))
    outer = graph.linear(f"{prefix}.output.dense", inner)
    return graph.norm(f"{prefix}.output.LayerNorm", graph.add("Add", f"{prefix}.widened", outer, x))


def _head(graph: _Graph, x: str, weights: str) -> None:
    seen = graph.add("Mul", "pool.seen", x, weights)
    total = graph.add("ReduceSum", "pool.total", seen, graph.integers("one", 1), keepdims=0)
    count = graph.add("ReduceSum", "pool.count", weights, graph.integers("one", 1), keepdims=0)
    # An all-zero mask gives a defined answer instead of 0 / 0.
    safe = graph.add("Max", "pool.safe", count, graph.number("one.float", 1.0))
    pooled = graph.add("Div", "pool.mean", total, safe)
    logits = graph.add(
        "Gemm",
        "head.logits",
        pooled,
        graph.constant("head.weight", graph.weights["head.weight"]),
        graph.constant("head.bias", graph.weights["head.bias"]),
        transB=1,
    )
    graph.add("Softmax", "probabilities", logits, axis=-1)


def model_bytes(weights: Mapping[str, Floats]) -> bytes:
    """The serialised model."""
    graph = _Graph(weights)
    x = _embeddings(graph)
    pool_weights, offsets = _mask(graph)
    for index in range(LAYERS):
        x = _layer(graph, index, x, offsets)
    _head(graph, x, pool_weights)
    return _serialise(graph)


def _serialise(graph: _Graph) -> bytes:
    place = ["batch", "tokens"]
    made = helper.make_graph(
        graph.nodes,
        "sentiment",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, place)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", _LABELS])],
        list(graph.constants.values()),
    )
    model: ModelProto = helper.make_model(
        made,
        producer_name="gpupipe",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
