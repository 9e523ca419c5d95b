"""Small model bundles that really run: a text model of one number a token, a picture model of brightness.

The text model gives logits (s, -s) where s is the sum of `id - 2` over the unmasked ids: label 0 for
ids above 2. The picture model gives logits (m, -m) of the mean m of its input.
"""

import json
import struct
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.onnx_writer import (
    FLOAT,
    INT64,
    Graph,
    integer,
    ints,
    node,
    tensor,
    value_info,
)

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad"]


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


WEIGHTS = tensor("w", FLOAT, (1, 2), floats(1, -1))


def text_graph(
    extra: Sequence[bytes] = (),
    inputs: Sequence[bytes] | None = None,
    values: Sequence[float] = (0, 0, 0, 0, 4, -4),
    **more: Any,
) -> bytes:
    """ids, mask -> logits [batch, 2]; an id counts as its value says."""
    found = inputs or [
        value_info(11, name, INT64, ("batch", "tokens")) for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        node("Gather", ["values", "input_ids"], ["v"]),
        node("Cast", ["attention_mask"], ["m"], integer("to", FLOAT)),
        node("Mul", ["v", "m"], ["vm"]),
        node("ReduceSum", ["vm", "axis"], ["s"], integer("keepdims", 1)),
        node("MatMul", ["s", "w"], ["logits"]),
    ]
    weights = [
        WEIGHTS,
        tensor("axis", INT64, (1,), longs(1)),
        tensor("values", FLOAT, (6,), floats(*values)),
    ]
    output = value_info(12, "logits", FLOAT, more.pop("output", ("batch", 2)))
    return Graph([*nodes, *weights, *found, output, *extra], **more).model()


def image_graph(shape: Sequence[int | str] = ("batch", 3, 8, 8)) -> bytes:
    """One float32 picture -> logits [batch, 2]."""
    parts = [
        node("ReduceMean", ["pixels"], ["m"], ints("axes", 1, 2, 3), integer("keepdims", 0)),
        node("Reshape", ["m", "column"], ["c"]),
        node("MatMul", ["c", "w"], ["logits"]),
        WEIGHTS,
        tensor("column", INT64, (2,), longs(-1, 1)),
        value_info(11, "pixels", FLOAT, shape),
        value_info(12, "logits", FLOAT, ("batch", 2)),
    ]
    return Graph(parts).model()


def tokenizer_json(entries: Sequence[str] = TOKENS) -> bytes:
    """A whitespace tokenizer with the markers of BERT."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(
        models.WordLevel({token: at for at, token in enumerate(entries)}, unk_token="[UNK]")
    )
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens([AddedToken(token, special=True) for token in TOKENS[:4]])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_padding(length=128)
    made.enable_truncation(4)
    return str(made.to_str()).encode()


TEXT_MANIFEST = {
    "schema_version": 1,
    "name": "tiny",
    "version": "1.0",
    "task": "text-classification",
    "labels": ["yes", "no"],
    "graph": "model.onnx",
    "output": {"name": "logits", "values": "logits"},
    "max_tokens": 16,
    "tokenizer": {"type": "tokenizer.json", "file": "tokenizer.json"},
}
IMAGE_MANIFEST = {
    "schema_version": 1,
    "name": "brightness",
    "version": "1",
    "task": "image-classification",
    "labels": ["bright", "dark"],
    "graph": "model.onnx",
    "output": {"name": "logits", "values": "logits"},
    "image": {"width": 8, "height": 8, "mean": [0.5, 0.5, 0.5], "std": [0.1, 0.1, 0.1]},
}


def manifest_of(document: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """The document with its files listed."""
    listed = {
        name: {"size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in files.items()
    }
    return {**document, "files": listed}


def text_files(graph: bytes | None = None) -> dict[str, bytes]:
    return {"model.onnx": graph or text_graph(), "tokenizer.json": tokenizer_json()}


def image_files(graph: bytes | None = None) -> dict[str, bytes]:
    return {"model.onnx": graph or image_graph()}


def write_bundle(
    folder: Path, document: dict[str, Any], files: dict[str, bytes], *, listed: bool = True
) -> Path:
    """The bundle in a folder; without `listed` its manifest names no files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    whole = manifest_of(document, files) if listed else document
    (folder / "manifest.json").write_text(json.dumps(whole))
    return folder
