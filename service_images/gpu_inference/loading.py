"""Getting the model ready: bundle, session, one first inference.

Contract: what `load_engine` returns has answered once on the device that was asked for, with as
many probabilities as the model has labels, which sum to 1.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common.bundle import Bundle, read_folder, vocabulary_lines
from common.clock import Clock, milliseconds
from common.manifest import TOKENIZER_JSON, BundleError, Tokenizer
from common.problems import StartError
from common.store import Store
from gpu_inference.batcher import Batcher, Score
from gpu_inference.cpus import usable_cpus
from gpu_inference.engine import Engine
from gpu_inference.fetch import read_uri
from gpu_inference.inputs import Inputs, TextInputs
from gpu_inference.scorer import OnnxScorer, Scorer
from gpu_inference.session import open_session
from gpu_inference.tokenizer_json import TokenizerJson
from gpu_inference.windows import Encoder, Ids
from gpu_inference.wordpiece import WordPiece

_log = logging.getLogger(__name__)
BAKED = Path(__file__).resolve().parent / "bundle"
"""The bundle of the image."""
_CUDA_BATCH = 64
_CPU_BATCH = 8
_QUEUE_LIMIT = 2 * _CUDA_BATCH
_CUDA_WINDOWS = 16_384
# A full window (256 tokens) took 0.12 to 0.16 s of one core of a busy two-core AMD EPYC, measured by
# bench/window.py: the longest text takes 41 s of one core. A request has 300 s.
_CPU_WINDOWS = 256
# Two large requests share a CUDA device, so that one is read and cut up while the other is scored.
# A CPU takes one, as two would need twice the time.
_CUDA_MOST_OF_ONE = _QUEUE_LIMIT // 2
_CPU_MOST_OF_ONE = _QUEUE_LIMIT * 3 // 4
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model on which device; `max_windows` 0 means the device's default."""

    device: str
    model_uri: str
    emulated_accelerator: str
    max_windows: int


@dataclass(frozen=True, slots=True)
class Ready:
    """What requests need."""

    store: Store
    engine: Engine


def load(
    settings: ModelSettings, runtime: Any, open_store: Callable[[], Store], clock: Clock
) -> Ready:
    """Raises StartError. How long it took is in the log, for whoever judges a model by its size."""
    began = clock.monotonic()
    ready, bundle = _load(settings, runtime, open_store, clock)
    fields = {
        "model": bundle.manifest.name,
        "version": bundle.manifest.version,
        "bytes": sum(entry.size for entry in bundle.manifest.entries),
        "load_ms": milliseconds(began, clock),
    }
    _log.info("model ready", extra={"fields": fields})
    return ready


def _load(
    settings: ModelSettings, runtime: Any, open_store: Callable[[], Store], clock: Clock
) -> tuple[Ready, Bundle]:
    """A baked model is loaded first: no credentials are needed for that."""
    open_scorer = partial(_open_scorer, settings, runtime)
    if settings.model_uri:
        store = open_store()
        bundle = read_uri(store, settings.model_uri)
        return Ready(store, build_engine(settings, bundle, open_scorer(bundle), clock)), bundle
    bundle = read_folder(BAKED)
    engine = build_engine(settings, bundle, open_scorer(bundle), clock)
    return Ready(open_store(), engine), bundle


def _open_scorer(settings: ModelSettings, runtime: Any, bundle: Bundle) -> OnnxScorer:
    opened = open_session(
        runtime,
        bundle.graph,
        wanted=settings.device,
        cpus=usable_cpus(),
        emulated=settings.emulated_accelerator,
    )
    return OnnxScorer(opened.session, opened.device, bundle)


def build_engine(settings: ModelSettings, bundle: Bundle, scorer: Scorer, clock: Clock) -> Engine:
    """An engine whose scorer has answered once. Raises StartError."""
    manifest, cuda = bundle.manifest, scorer.device.cuda
    inputs = inputs_of(bundle, settings.max_windows or (_CUDA_WINDOWS if cuda else _CPU_WINDOWS))
    began = clock.monotonic()
    _warm_up(scorer.score, inputs, len(manifest.labels))
    fields = {
        "model": manifest.name,
        "version": manifest.version,
        "device": scorer.device.label,
        "warm_up_ms": milliseconds(began, clock),
    }
    _log.info("model loaded", extra={"fields": fields})
    largest = _CUDA_BATCH if cuda else _CPU_BATCH
    batcher = Batcher(
        scorer.score,
        max_batch=1 if bundle.depends_on_batch else largest,
        # A CUDA device runs one batch at a time, a CPU one for each core.
        workers=1 if cuda else usable_cpus(),
        queue_limit=_QUEUE_LIMIT,
        most_of_one=_CUDA_MOST_OF_ONE if cuda else _CPU_MOST_OF_ONE,
        clock=clock,
        combine=cuda,
    )
    return Engine(inputs, batcher, manifest.labels, bundle.identity(), scorer.device)


def _warm_up(score: Score, inputs: Inputs, labels: int) -> None:
    for what, row in inputs.samples():
        try:
            answer = score([row])[0]
        except Exception as error:  # the runtime's classes derive from nothing narrower
            message = f"the first inference failed, of {what}: {type(error).__name__}"
            raise StartError(message) from error
        _check_answer(answer, labels)


def _check_answer(answer: Sequence[float], labels: int) -> None:
    if len(answer) != labels:
        raise BundleError(f"the graph gives {len(answer)} probabilities for {labels} labels")
    if not all(map(math.isfinite, answer)) or abs(sum(answer) - 1) > _SUM_TOLERANCE:
        raise BundleError("the graph's answers are not probabilities")


def inputs_of(bundle: Bundle, max_windows: int) -> Inputs:
    """What makes rows for the model of a bundle. Raises BundleError."""
    manifest = bundle.manifest
    model = f"{manifest.name} {manifest.version}"
    if not isinstance(manifest.reader, Tokenizer):
        # Only models that need it pay for loading the library.
        from gpu_inference.pictures import PictureInputs

        return PictureInputs(manifest.reader, model)
    ids = _ids(manifest.reader, bundle.tokenizer)
    return TextInputs(Encoder(ids, manifest.reader.max_tokens, max_windows), model)


def _ids(tokenizer: Tokenizer, data: bytes) -> Ids:
    if tokenizer.kind == TOKENIZER_JSON:
        return TokenizerJson(data, tokenizer.max_tokens)
    return WordPiece(vocabulary_lines(data), lowercase=tokenizer.lowercase)
