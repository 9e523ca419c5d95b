"""A model bundle: manifest, ONNX graph, tokenizer; checked before anything is run.

Contract: every file has the size and SHA-256 that manifest.json states; the graph is one file that
refers to no other, uses operators that onnxruntime brings along and takes and gives what the
manifest says. A bundle that fails any of it is a BundleError with the reason. Only the standard
library; what needs the runtime (does it load, does it answer) is checked by the service.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from common.fields import parse_json
from common.manifest import (
    MANIFEST,
    WORDPIECE,
    BundleError,
    Manifest,
    Tokenizer,
    Transform,
    parse_manifest,
)
from common.onnx_file import DOUBLE, FLOAT, FLOAT16, INT64, GraphFacts, Value, read_graph
from common.problems import JsonObject

MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_GRAPH_BYTES = 2**31 - 1  # protobuf's own limit
_MAX_TOKENIZER_BYTES = 64 * 1024 * 1024
_DOMAINS = frozenset({"", "ai.onnx.ml", "com.microsoft"})
# What onnxruntime 1.26 loads, the one of the CUDA image: tried with each.
MAX_OPSET, MAX_IR_VERSION = 26, 13
_MAX_VOCABULARY = 1_000_000
_MARKERS = frozenset({"[UNK]", "[CLS]", "[SEP]"})
_TEXT_INPUTS = frozenset({"input_ids", "attention_mask"})
TYPE_IDS = "token_type_ids"
_DYNAMIC = "DynamicQuantizeLinear"
_PICKLE_PROTOCOLS = range(2, 6)
_FOREIGN = (
    (b"PK\x03\x04", "a zip file, as a checkpoint of PyTorch (a pickle inside)"),
    (b"\x89HDF", "an HDF5 file, as a checkpoint of Keras"),
    (b"version https://git-lfs", "a pointer of Git LFS (`git lfs pull` gets the file)"),
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose content was checked; `tokenizer` is its file's bytes, empty for images."""

    manifest: Manifest
    graph: bytes
    tokenizer: bytes
    facts: GraphFacts

    def identity(self) -> JsonObject:
        """The model as results name it; the digest is the graph's."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.entry(manifest.graph).sha256,
        }

    @property
    def depends_on_batch(self) -> bool:
        """Whether an answer changes with the rest of its batch."""
        return any(operator == _DYNAMIC for _, operator in self.facts.operators)


def read_folder(folder: Path) -> Bundle:
    """The bundle in a folder. Raises BundleError."""
    manifest = parse_manifest(read_file(folder, MANIFEST, MAX_MANIFEST_BYTES))
    check_sizes(manifest)
    files = {
        entry.name: read_file(folder, entry.name, _MAX_GRAPH_BYTES) for entry in manifest.entries
    }
    return checked_bundle(manifest, files)


def read_file(folder: Path, name: str, limit: int) -> bytes:
    """A file of a bundle. Raises BundleError where it cannot be read or is too large."""
    path = folder / name
    try:
        if path.stat().st_size > limit:
            raise BundleError(f"{name} is larger than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {name}: {error.strerror}") from error


def check_sizes(manifest: Manifest) -> None:
    """Refuses files that are too large by what the manifest states, before they are fetched."""
    for entry in manifest.entries:
        limit = _MAX_GRAPH_BYTES if entry.name == manifest.graph else _MAX_TOKENIZER_BYTES
        if entry.size > limit:
            raise BundleError(f"{entry.name} has {entry.size} bytes; at most {limit} are served")


def checked_bundle(manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """The bundle of these files. Raises BundleError where they are not the manifest's, or no good."""
    check_sizes(manifest)
    for entry in manifest.entries:
        data = files[entry.name]
        if len(data) != entry.size:
            raise BundleError(
                f"{entry.name} has {len(data)} bytes, {entry.size} in {MANIFEST}: it is another file"
            )
        if sha256(data).hexdigest() != entry.sha256:
            raise BundleError(f"{entry.name} does not have the sha256 that {MANIFEST} states")
    graph = files[manifest.graph]
    facts = _checked_graph(manifest, graph)
    if isinstance(manifest.reader, Transform):
        return Bundle(manifest, graph, b"", facts)
    tokenizer = files[manifest.reader.file]
    _check_tokenizer(manifest.reader, tokenizer)
    return Bundle(manifest, graph, tokenizer, facts)


def _checked_graph(manifest: Manifest, graph: bytes) -> GraphFacts:
    if foreign := foreign_format(graph):
        raise BundleError(f"{manifest.graph} is {foreign}, not an ONNX graph")
    try:
        facts = read_graph(graph)
    except ValueError as error:
        raise BundleError(f"{manifest.graph} is not an ONNX file: {error}") from error
    if facts.external_data:
        raise BundleError(f"{manifest.graph} refers to data outside the file")
    if not facts.operators or not facts.outputs:
        raise BundleError(f"{manifest.graph} is not an ONNX file: it holds no graph")
    custom = sorted(f"{where}.{name}" for where, name in facts.operators if where not in _DOMAINS)
    if custom:
        raise BundleError(f"{manifest.graph} uses custom operators: {', '.join(custom[:5])}")
    _check_versions(manifest.graph, facts)
    if isinstance(manifest.reader, Transform):
        _check_image_input(manifest.reader, facts)
    else:
        _check_text_inputs(facts)
    _check_output(manifest, facts)
    return facts


def _check_versions(name: str, facts: GraphFacts) -> None:
    for what, found, most in (
        ("operators of version", facts.opset, MAX_OPSET),
        ("a file format of version", facts.ir_version, MAX_IR_VERSION),
    ):
        if found > most:
            raise BundleError(
                f"{name} has {what} {found}; the service's onnxruntime takes up to {most}: "
                "export it for an older one"
            )


def foreign_format(data: bytes) -> str | None:
    """What a file is that people take for a graph by mistake."""
    if data[:1] == b"\x80" and data[1:2] and data[1] in _PICKLE_PROTOCOLS:
        return "a pickle, which may run code when it is read"
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return "a safetensors file (weights without a graph)"
    if data[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    return next((kind for signature, kind in _FOREIGN if data.startswith(signature)), None)


def _check_text_inputs(facts: GraphFacts) -> None:
    names = facts.inputs.keys()
    if not names >= _TEXT_INPUTS or names - _TEXT_INPUTS - {TYPE_IDS}:
        raise BundleError(
            f"the graph takes {_listed(names)}; a text model takes input_ids and attention_mask, "
            f"and may take {TYPE_IDS}"
        )
    for value in facts.inputs.values():
        free = value.shape is None or value.shape == (None, None)
        if value.element != INT64 or not free:
            raise BundleError(
                f"the input {value.name} must be int64 [batch, tokens], both free, "
                f"not {_described(value)}"
            )


def _check_image_input(transform: Transform, facts: GraphFacts) -> None:
    if len(facts.inputs) != 1:
        raise BundleError(
            f"the graph takes {_listed(facts.inputs)}; an image model takes one input"
        )
    (value,) = facts.inputs.values()
    wanted = (None, *transform.shape)
    if value.element != FLOAT or not _fits(value, wanted):
        raise BundleError(
            f"the input {value.name} must be float32 [batch, {', '.join(map(str, wanted[1:]))}] "
            f"with a free batch, not {_described(value)}"
        )


def _check_output(manifest: Manifest, facts: GraphFacts) -> None:
    value = facts.outputs.get(manifest.output)
    if value is None:
        raise BundleError(
            f"the graph has no output {manifest.output}; it gives {_listed(facts.outputs)}"
        )
    labels = len(manifest.labels)
    if value.element not in {FLOAT, FLOAT16, DOUBLE} or not _fits(value, (None, labels)):
        raise BundleError(
            f"the output {value.name} must hold floats [batch, {labels}], one column for each "
            f"label, with a free batch, not {_described(value)}"
        )


def _fits(value: Value, wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape may be `wanted`: the batch must be free, an unknown size may be any."""
    if value.shape is None:
        return True
    return (
        len(value.shape) == len(wanted)
        and value.shape[0] is None
        and all(size in {None, want} for size, want in zip(value.shape, wanted, strict=True))
    )


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:8]) or "nothing"


def _described(value: Value) -> str:
    names = {FLOAT: "float32", INT64: "int64", FLOAT16: "float16", DOUBLE: "float64"}
    kind = names.get(value.element, f"type {value.element}")
    shape = "?" if value.shape is None else ", ".join(str(size or "free") for size in value.shape)
    return f"{kind} [{shape}]"


def _check_tokenizer(tokenizer: Tokenizer, data: bytes) -> None:
    if tokenizer.kind == WORDPIECE:
        vocabulary_lines(data)
        return
    try:
        document = parse_json(data)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("model"), dict):
        raise BundleError(f"{tokenizer.file} is not a file of the tokenizers library")


def vocabulary_lines(data: bytes) -> list[str]:
    """The entries of a WordPiece vocabulary. Raises BundleError."""
    try:
        # Only line feeds, after a CR where the file was in Windows, end a line: other separators
        # are entries of real vocabularies.
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BundleError("the vocabulary is not UTF-8") from error
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > _MAX_VOCABULARY:
        raise BundleError(
            f"the vocabulary has {len(lines)} entries; at most {_MAX_VOCABULARY} are served"
        )
    missing = _MARKERS.difference(lines)
    if missing:
        raise BundleError(f"the vocabulary lacks {', '.join(sorted(missing))}")
    return lines
