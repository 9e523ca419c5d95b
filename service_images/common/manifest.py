"""manifest.json of a model bundle, as values whose every field was checked.

Contract: what `parse_manifest` returns fits the published schema (docs/reference/schemas) and the
rules between fields that a schema cannot say; anything else is a BundleError that names the field.
Only the standard library: whoever pushes a bundle checks it with this code too.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.fields import parse_json
from common.problems import StartError

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
TEXT, IMAGE = "text-classification", "image-classification"
PROBABILITIES, LOGITS = "probabilities", "logits"
WORDPIECE, TOKENIZER_JSON = "wordpiece", "tokenizer.json"
_TOKENS = (3, 8192)
_SIDE = (1, 1024)
_PAD_ID = (0, 10_000_000)
_LABELS = (2, 10_000)
_TEXT_CHARS = 200
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DEFAULT_SCALE = 1 / 255

Object = Mapping[str, object]


class BundleError(StartError):
    """The bundle is not one that may be served; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"model bundle: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest states about a file."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How text becomes ids: the kind, its file and what belongs to the kind."""

    kind: str
    file: str
    max_tokens: int
    lowercase: bool = True
    pad_id: int = 0


@dataclass(frozen=True, slots=True)
class Transform:
    """How a picture becomes the graph's input; sides in pixels, one mean and std per channel."""

    width: int
    height: int
    crop_from: int | None
    interpolation: str
    color: str
    layout: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The graph's input without its batch."""
        channels = len(self.mean)
        if self.layout == "nchw":
            return channels, self.height, self.width
        return self.height, self.width, channels


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest; `reader` is the part that belongs to the task."""

    name: str
    version: str
    labels: tuple[str, ...]
    graph: str
    output: str
    logits: bool
    reader: Tokenizer | Transform
    entries: tuple[FileEntry, ...]

    @property
    def task(self) -> str:
        """What the model does."""
        return TEXT if isinstance(self.reader, Tokenizer) else IMAGE

    def entry(self, name: str) -> FileEntry:
        """What is stated about a file."""
        return next(entry for entry in self.entries if entry.name == name)


def parse_manifest(data: bytes) -> Manifest:
    """Raises BundleError."""
    return read_manifest(parse_document(data))


def parse_document(data: bytes) -> dict[str, object]:
    """The JSON object of a manifest, unchecked. Raises BundleError."""
    try:
        document = parse_json(data)
    except ValueError as error:
        raise BundleError(f"{MANIFEST} is not JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise BundleError(f"{MANIFEST} must be an object")
    return document


def read_manifest(root: Object) -> Manifest:
    """Raises BundleError."""
    version = root.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BundleError(f"schema_version must be {SCHEMA_VERSION}")
    reader = _reader(root)
    graph = _matching(root, "graph", _FILE)
    output, values = _output(root)
    return Manifest(
        name=_matching(root, "name", _NAME),
        version=_matching(root, "version", _VERSION),
        labels=_labels(root.get("labels")),
        graph=graph,
        output=output,
        logits=values == LOGITS,
        reader=reader,
        entries=_entries(root, files_of(graph, reader)),
    )


def files_of(graph: str, reader: Tokenizer | Transform) -> tuple[str, ...]:
    """The names of all files that a model reads."""
    return (graph, reader.file) if isinstance(reader, Tokenizer) else (graph,)


def needed_files(root: Object) -> tuple[str, ...]:
    """The same, of a manifest that does not list its files yet. Raises BundleError."""
    return files_of(_matching(root, "graph", _FILE), _reader(root))


def _reader(root: Object) -> Tokenizer | Transform:
    task = _choice(root, "task", (TEXT, IMAGE))
    foreign = ("image",) if task == TEXT else ("tokenizer", "max_tokens")
    for name in foreign:
        if name in root:
            raise BundleError(f"{name} does not belong to the task {task}")
    return _tokenizer(root) if task == TEXT else _transform(root)


def _tokenizer(root: Object) -> Tokenizer:
    values = _mapping(root.get("tokenizer"), "tokenizer")
    where = "tokenizer."
    kind = _choice(values, "type", (WORDPIECE, TOKENIZER_JSON), where)
    max_tokens = _whole(root, "max_tokens", _TOKENS)
    if kind == WORDPIECE:
        _known(values, {"type", "vocab", "lowercase"}, where)
        lowercase = values.get("lowercase")
        if not isinstance(lowercase, bool):
            raise BundleError("tokenizer.lowercase must be true or false")
        return Tokenizer(kind, _matching(values, "vocab", _FILE, where), max_tokens, lowercase)
    _known(values, {"type", "file", "pad_id"}, where)
    pad_id = _whole({"pad_id": 0, **values}, "pad_id", _PAD_ID, where)
    return Tokenizer(kind, _matching(values, "file", _FILE, where), max_tokens, pad_id=pad_id)


def _transform(root: Object) -> Transform:
    values, where = _mapping(root.get("image"), "image"), "image."
    known = {"width", "height", "resize", "resize_to", "interpolation", "color", "layout"}
    _known(values, known | {"scale", "mean", "std"}, where)
    width, height = _whole(values, "width", _SIDE, where), _whole(values, "height", _SIDE, where)
    longer = max(width, height)
    crop_from = _whole({"resize_to": longer, **values}, "resize_to", _SIDE, where)
    resize = _choice({"resize": "stretch", **values}, "resize", ("stretch", "crop"), where)
    if resize == "crop" and crop_from < longer:
        raise BundleError("image.resize_to must not be less than width and height")
    color = _choice({"color": "rgb", **values}, "color", ("rgb", "bgr", "gray"), where)
    channels = 1 if color == "gray" else 3
    methods = ("nearest", "bilinear", "bicubic")
    return Transform(
        width=width,
        height=height,
        crop_from=crop_from if resize == "crop" else None,
        interpolation=_choice(
            {"interpolation": "bilinear", **values}, "interpolation", methods, where
        ),
        color=color,
        layout=_choice({"layout": "nchw", **values}, "layout", ("nchw", "nhwc"), where),
        scale=_positive(values.get("scale", _DEFAULT_SCALE), "image.scale"),
        mean=_channels(values, "mean", channels, 0.0),
        std=tuple(
            _positive(value, "image.std") for value in _channels(values, "std", channels, 1.0)
        ),
    )


def _channels(values: Object, name: str, channels: int, default: float) -> tuple[float, ...]:
    found = values.get(name, [default] * channels)
    if not isinstance(found, list) or len(found) != channels:
        raise BundleError(f"image.{name} must be a list of {channels} numbers")
    return tuple(_number(value, f"image.{name}") for value in found)


def _output(root: Object) -> tuple[str, str]:
    if "output" not in root:
        return PROBABILITIES, PROBABILITIES
    values = _mapping(root["output"], "output")
    _known(values, {"name", "values"}, "output.")
    name = values.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _TEXT_CHARS:
        raise BundleError("output.name must be the name of an output of the graph")
    return name, _choice(values, "values", (PROBABILITIES, LOGITS), "output.")


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not _LABELS[0] <= len(value) <= _LABELS[1]:
        raise BundleError(f"labels must be a list of {_LABELS[0]} to {_LABELS[1]} names")
    labels = tuple(label for label in value if isinstance(label, str))
    good = all(0 < len(label) <= _TEXT_CHARS for label in labels)
    if len(labels) != len(value) or not good or len(set(labels)) != len(labels):
        raise BundleError(f"labels must be different names of 1 to {_TEXT_CHARS} characters")
    return labels


def _entries(root: Object, names: tuple[str, ...]) -> tuple[FileEntry, ...]:
    files = _mapping(root.get("files"), "files")
    if len(set(names)) != len(names) or set(files) != set(names):
        raise BundleError(f"files must list {' and '.join(names)} and nothing else")
    return tuple(_entry(name, files[name]) for name in names)


def _entry(name: str, value: object) -> FileEntry:
    entry = _mapping(value, f"files.{name}")
    size, digest = entry.get("size"), entry.get("sha256")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise BundleError(f"files.{name}.size must be a positive number")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise BundleError(f"files.{name}.sha256 must be 64 hex digits")
    return FileEntry(name, size, digest.lower())


def _mapping(value: object, where: str) -> Object:
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object")
    return value


def _known(values: Object, names: set[str], where: str) -> None:
    for name in sorted(values.keys() - names):
        raise BundleError(f"{where}{name} is not known")


def _choice(values: Object, name: str, allowed: tuple[str, ...], where: str = "") -> str:
    value = values.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise BundleError(f"{where}{name} must be one of {', '.join(allowed)}")
    return value


def _matching(values: Object, name: str, pattern: re.Pattern[str], where: str = "") -> str:
    value = values.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value) or value == MANIFEST:
        raise BundleError(f"{where}{name} must match {pattern.pattern}")
    return value


def _whole(values: Object, name: str, bounds: tuple[int, int], where: str = "") -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not bounds[0] <= value <= bounds[1]:
        raise BundleError(f"{where}{name} must be a whole number from {bounds[0]} to {bounds[1]}")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BundleError(f"{where} must hold numbers")
    return float(value)


def _positive(value: object, where: str) -> float:
    number = _number(value, where)
    if number <= 0:
        raise BundleError(f"{where} must be greater than 0")
    return number
