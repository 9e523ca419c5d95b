"""A model bundle: manifest, ONNX graph, vocabulary; checked before anything is run.

Contract: every file has the size and sha256 that manifest.json states, there is one graph file
and it refers to no other, the task and tokeniser are ones that this service knows. A bundle that
fails any of it is a BundleError and the service never becomes ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from common.fields import parse_json
from common.problems import JsonObject
from common.startup import StartError
from gpu_inference.onnx_file import uses_external_data

MANIFEST = "manifest.json"
BAKED = Path(__file__).resolve().parent / "bundle"
_SCHEMA_VERSION = 1
_TASK = "text-classification"
_TOKENIZER = "wordpiece"
_TOKENS = range(3, 8193)
_SHA256_DIGITS = 64


class BundleError(StartError):
    """The bundle is not one that may be served."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"model bundle: {reason}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest states about a file."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The part of manifest.json that the service uses."""

    name: str
    version: str
    labels: tuple[str, ...]
    max_tokens: int
    graph: FileEntry
    vocabulary: FileEntry

    def files(self) -> tuple[FileEntry, FileEntry]:
        """Every file of the bundle but the manifest."""
        return self.graph, self.vocabulary


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose content was checked."""

    manifest: Manifest
    graph: bytes
    vocabulary: Sequence[str]

    def identity(self) -> JsonObject:
        """The model as results name it; the digest is the graph's."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.graph.sha256,
        }


def parse_manifest(data: bytes) -> Manifest:
    """Raises BundleError."""
    try:
        document = parse_json(data)
    except ValueError as error:
        raise BundleError(f"{MANIFEST} is not JSON") from error
    root = _mapping(document, MANIFEST)
    if root.get("schema_version") != _SCHEMA_VERSION:
        raise BundleError(f"schema_version must be {_SCHEMA_VERSION}")
    if root.get("task") != _TASK:
        raise BundleError(f"task must be {_TASK}")
    tokenizer = _mapping(root.get("tokenizer"), "tokenizer")
    if tokenizer.get("type") != _TOKENIZER or tokenizer.get("lowercase") is not True:
        raise BundleError(f"tokenizer must be {_TOKENIZER} with lowercase true")
    files = _mapping(root.get("files"), "files")
    graph, vocab = _text(root, "graph"), _text(tokenizer, "vocab")
    if set(files) != {graph, vocab} or graph == vocab:
        raise BundleError("files must list the graph, the vocabulary and nothing else")
    return Manifest(
        name=_text(root, "name"),
        version=_text(root, "version"),
        labels=_labels(root.get("labels")),
        max_tokens=_max_tokens(root.get("max_tokens")),
        graph=_entry(graph, files[graph]),
        vocabulary=_entry(vocab, files[vocab]),
    )


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object")
    return value


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BundleError(f"{name} must be a string")
    return value


def _labels(value: object) -> tuple[str, ...]:
    labels = tuple(str(label) for label in value) if isinstance(value, list) else ()
    if len(labels) < 2 or len(set(labels)) != len(labels) or "" in labels:  # noqa: PLR2004
        raise BundleError("labels must be at least two different names")
    return labels


def _max_tokens(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _TOKENS:
        raise BundleError(f"max_tokens must be from {_TOKENS.start} to {_TOKENS.stop - 1}")
    return value


def _entry(name: str, value: object) -> FileEntry:
    entry = _mapping(value, f"files.{name}")
    size, digest = entry.get("size"), entry.get("sha256")
    if "/" in name or "\\" in name or name in {MANIFEST, ".", ".."}:
        raise BundleError("file names must be plain")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise BundleError(f"files.{name}.size must be a positive number")
    if not isinstance(digest, str) or len(digest) != _SHA256_DIGITS:
        raise BundleError(f"files.{name}.sha256 must be {_SHA256_DIGITS} hex digits")
    return FileEntry(name, size, digest.lower())


def checked_bundle(manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """The bundle of these files. Raises BundleError where they are not the manifest's."""
    for entry in manifest.files():
        data = files[entry.name]
        if len(data) != entry.size or sha256(data).hexdigest() != entry.sha256:
            raise BundleError(f"{entry.name} is not the file that {MANIFEST} describes")
    graph = files[manifest.graph.name]
    try:
        if uses_external_data(graph):
            raise BundleError(f"{manifest.graph.name} refers to data outside the file")
    except ValueError as error:
        raise BundleError(f"{manifest.graph.name} is not an ONNX file: {error}") from error
    return Bundle(manifest, graph, _vocabulary(files[manifest.vocabulary.name]))


def _vocabulary(data: bytes) -> list[str]:
    try:
        # Only line feeds end a line: other separators are entries of real vocabularies.
        lines = data.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError("the vocabulary is not UTF-8") from error
    missing = {"[UNK]", "[CLS]", "[SEP]"}.difference(lines)
    if missing:
        raise BundleError(f"the vocabulary lacks {', '.join(sorted(missing))}")
    return lines


def read_folder(folder: Path = BAKED) -> Bundle:
    """The bundle in a folder of the image. Raises BundleError."""
    try:
        manifest = parse_manifest((folder / MANIFEST).read_bytes())
        files = {entry.name: (folder / entry.name).read_bytes() for entry in manifest.files()}
    except OSError as error:
        raise BundleError(f"cannot read {error.filename}: {error.strerror}") from error
    return checked_bundle(manifest, files)
