"""Scores the held-out test part with the built bundle and checks the stored metrics.

Contract: exits 0 when the files match the manifest, no label depends on the batch, and every
metric is within TOLERANCE of the manifest's (a CPU may round a border case the other way);
exits 1 otherwise. `--write` stores the measured metrics for the next build instead of checking.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from model.build import BUNDLE, METRICS
from model.dataset import LABELS, Row, load
from model.sources import data_members, digest
from model.wordpiece import WordPiece

TOLERANCE = 0.003
_BATCH = 32
_BANDS = (0.6, 0.7, 0.8)
_ECE_BINS = 15
_RELIABILITY = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_NEGATIVE, _NEUTRAL, _POSITIVE = range(3)

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def session_of(graph: Path) -> onnxruntime.InferenceSession:
    """A CPU session with the option that the service uses."""
    options = onnxruntime.SessionOptions()
    # Without it the runtime may turn DequantizeLinear + MatMul into a contrib kernel that
    # quantises the activations too.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def probabilities(
    session: onnxruntime.InferenceSession, encoded: Sequence[list[int]], batch: int
) -> Floats:
    """Class probabilities of every text, computed `batch` texts at a time in the given order."""
    found = []
    for start in range(0, len(encoded), batch):
        part = encoded[start : start + batch]
        ids = np.zeros((len(part), max(map(len, part))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(part):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        found.append(session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0])
    result: Floats = np.concatenate(found)
    return result


def macro_f1(truth: Integers, guess: Integers) -> float:
    """Mean over the classes of the harmonic mean of precision and recall."""
    scores = []
    for label in range(len(LABELS)):
        hits = int(((truth == label) & (guess == label)).sum())
        scores.append(2 * hits / int((truth == label).sum() + (guess == label).sum()))
    return sum(scores) / len(scores)


def calibration_error(right: npt.NDArray[np.bool_], confidence: Floats) -> float:
    """Expected calibration error over bins of equal width."""
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = 0.0
    for number in range(_ECE_BINS):
        chosen = bins == number
        if chosen.any():
            gap = abs(float(right[chosen].mean()) - float(confidence[chosen].mean()))
            gaps += gap * int(chosen.sum())
    return gaps / len(right)


def classes(truth: Integers, guess: Integers) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each class."""
    found = {}
    for number, label in enumerate(LABELS):
        hits = int(((truth == number) & (guess == number)).sum())
        rows, guesses = int((truth == number).sum()), int((guess == number).sum())
        found[label] = {
            "rows": rows,
            "precision": round(hits / guesses, 4),
            "recall": round(hits / rows, 4),
            "f1": round(2 * hits / (rows + guesses), 4),
        }
    return found


def reliability(right: npt.NDArray[np.bool_], confidence: Floats) -> list[dict[str, float]]:
    """What was promised and what came true, by confidence."""
    found = []
    for low, high in pairwise(_RELIABILITY):
        chosen = (confidence >= low) & (confidence < (high if high < 1 else np.inf))
        if chosen.any():
            found.append(
                {
                    "from": low,
                    "rows": int(chosen.sum()),
                    "confidence": round(float(confidence[chosen].mean()), 4),
                    "accuracy": _share(right[chosen]),
                }
            )
    return found


def _share(values: npt.NDArray[np.bool_]) -> float:
    return round(float(values.mean()), 4)


def polar(scores: Floats, truth: Integers) -> npt.NDArray[np.bool_]:
    """For texts that are not neutral: whether the right one of the two poles scores higher."""
    chosen = truth != _NEUTRAL
    up = scores[chosen, _POSITIVE] > scores[chosen, _NEGATIVE]
    result: npt.NDArray[np.bool_] = up == (truth[chosen] == _POSITIVE)
    return result


def measure(rows: Sequence[Row], scores: Floats) -> dict[str, object]:
    """All metrics of one set of scores."""
    truth = np.array([row.label for row in rows], np.int64)
    guess = scores.argmax(1)
    confidence = scores.max(1)
    right = truth == guess
    domains = {}
    for name in sorted({row.domain for row in rows}):
        chosen = np.array([row.domain == name for row in rows])
        domains[name] = {
            "rows": int(chosen.sum()),
            "accuracy": _share(right[chosen]),
            "polar_accuracy": _share(polar(scores[chosen], truth[chosen])),
        }
    bands = {
        str(limit): {
            "rows": _share(confidence >= limit),
            "accuracy": _share(right[confidence >= limit]),
        }
        for limit in _BANDS
    }
    confusion = [[int(((truth == a) & (guess == b)).sum()) for b in range(3)] for a in range(3)]
    return {
        "rows": len(rows),
        "accuracy": _share(right),
        "macro_f1": round(macro_f1(truth, guess), 4),
        "polar_rows": int((truth != _NEUTRAL).sum()),
        "polar_accuracy": _share(polar(scores, truth)),
        "majority_accuracy": round(float(np.bincount(truth).max()) / len(rows), 4),
        "calibration_error": round(calibration_error(right, confidence), 4),
        "reliability": reliability(right, confidence),
        "classes": classes(truth, guess),
        "confusion_true_by_predicted": confusion,
        "at_confidence": bands,
        "domains": domains,
    }


def evaluate(bundle: Path, sdist: Path | None) -> dict[str, object]:
    """Metrics of the test part, with the batch check."""
    described = json.loads((bundle / "manifest.json").read_text("utf-8"))
    for name, want in described["files"].items():
        if digest((bundle / name).read_bytes()) != want:
            sys.exit(f"{name} is not the file that the manifest names")
    rows = [row for row in load(data_members(sdist)) if row.part == "test"]
    wordpiece = WordPiece((bundle / "vocab.txt").read_text("utf-8").splitlines())
    encoded = [wordpiece.encode(row.text, described["max_tokens"]) for row in rows]
    session = session_of(bundle / described["graph"])
    single = probabilities(session, encoded, 1)
    batched = probabilities(session, encoded, _BATCH)
    return {
        "model_sha256": described["files"][described["graph"]]["sha256"],
        **measure(rows, single),
        "labels_changed_batch_1_to_32": int((single.argmax(1) != batched.argmax(1)).sum()),
        "largest_change_batch_1_to_32": float(f"{np.abs(single - batched).max():.1e}"),
        "onnxruntime": onnxruntime.__version__,
    }


def problems(measured: dict[str, object], stored: dict[str, object] | None) -> list[str]:
    """What differs from the manifest by more than rounding explains."""
    found = []
    if measured["labels_changed_batch_1_to_32"] != 0:
        found.append("labels depend on the batch")
    if stored is None:
        return [*found, "the manifest holds no metrics"]
    for name in ("accuracy", "macro_f1", "polar_accuracy", "calibration_error"):
        got, want = measured[name], stored.get(name)
        if not isinstance(got, float) or not isinstance(want, float):
            found.append(f"{name} is not a number")
        elif abs(got - want) > TOLERANCE:
            found.append(f"{name} is {got}, the manifest says {want}")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Score the held-out split.")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--sdist", type=Path, help="the data sdist; downloaded without it")
    parser.add_argument("--write", action="store_true", help="store the metrics for the next build")
    options = parser.parse_args()
    measured = evaluate(options.bundle, options.sdist)
    text = json.dumps(measured, indent=2) + "\n"
    print(text, end="")
    if options.write:
        METRICS.write_text(text, encoding="utf-8")
        return
    described = json.loads((options.bundle / "manifest.json").read_text("utf-8"))
    found = problems(measured, described["provenance"]["metrics"])
    for problem in found:
        print(f"FAIL: {problem}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
