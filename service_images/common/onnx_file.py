"""Reads from an ONNX file what decides whether it may be served; it runs nothing.

Contract: `read_graph` walks the protobuf message by ONNX's own field numbers and tells the graph's
inputs and outputs, the operators in use with their versions, and whether a tensor lies outside the file. It needs no
onnx package. Raises ValueError for what is no such message, or too deep or too wide a one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# message -> field number -> the message inside
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_NODE_OPERATOR, _NODE_DOMAIN = 4, 7
_FUNCTION_NAME, _FUNCTION_DOMAIN = 1, 10
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_MAX_DEPTH = 64
_MAX_FIELDS = 5_000_000
_MAX_TAG = 1 << 32
FLOAT, INT64, FLOAT16, DOUBLE = 1, 7, 10, 11

Message = Iterator[tuple[int, int | memoryview]]


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output: ONNX's number of its element type, its shape (None = free or unknown)."""

    name: str
    element: int
    shape: tuple[int | None, ...] | None


@dataclass(slots=True)
class GraphFacts:
    """What a file says about its graph; operators as (domain, name), ai.onnx being "".

    opset: version of ai.onnx that it is written for; ir_version: that of the file format. 0: not told.
    """

    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    operators: set[tuple[str, str]] = field(default_factory=set)
    external_data: bool = False
    opset: int = 0
    ir_version: int = 0


def read_graph(model: bytes) -> GraphFacts:
    """The facts of a model. Raises ValueError."""
    reader = _Reader()
    reader.walk(memoryview(model), "Model", 0)
    return reader.facts()


class _Reader:
    """Walks the message once; what a message repeats is added up, as protobuf merges it."""

    def __init__(self) -> None:
        self._found = GraphFacts()
        self._initialized: set[str] = set()
        self._functions: set[tuple[str, str]] = set()
        self._fields = 0

    def facts(self) -> GraphFacts:
        found = self._found
        for name in self._initialized:
            found.inputs.pop(name, None)  # older files list their weights among the inputs
        found.operators -= self._functions
        return found

    def walk(self, data: memoryview, kind: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        names: dict[int, str] = {}
        for number, value in self._counted(data):
            self._note(kind, number, value)
            if isinstance(value, memoryview):
                inside = _INSIDE.get(kind, {}).get(number)
                if inside is not None:
                    self.walk(value, inside, depth + 1)
                    if kind == "Model" and number == _GRAPH:
                        self._interface(value)
                elif kind in {"Node", "Function"}:
                    names[number] = _text(value)
        if kind == "Node":
            domain = names.get(_NODE_DOMAIN, "")
            self._found.operators.add((_plain(domain), names.get(_NODE_OPERATOR, "")))
        if kind == "Function":
            domain = names.get(_FUNCTION_DOMAIN, "")
            self._functions.add((_plain(domain), names.get(_FUNCTION_NAME, "")))

    def _interface(self, graph: memoryview) -> None:
        for number, value in self._counted(graph):
            if not isinstance(value, memoryview):
                continue
            if number == _INITIALIZER:
                self._initialized.update(_texts(value, _TENSOR_NAME))
            elif number in {_INPUT, _OUTPUT}:
                found = _value(value)
                table = self._found.inputs if number == _INPUT else self._found.outputs
                table[found.name] = found

    def _note(self, kind: str, number: int, value: int | memoryview) -> None:
        if kind == "Model" and number in {_IR_VERSION, _OPSET}:
            self._version(value)
        elif kind == "Tensor":
            outside = number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            self._found.external_data |= outside

    def _version(self, value: int | memoryview) -> None:
        if isinstance(value, int):
            self._found.ir_version = value
        elif _plain(next(_texts(value, 1), "")) == "":
            versions = [one for at, one in _fields(value) if at == 2 and isinstance(one, int)]  # noqa: PLR2004
            self._found.opset = max([self._found.opset, *versions])

    def _counted(self, data: memoryview) -> Message:
        for one in _fields(data):
            self._fields += 1
            if self._fields > _MAX_FIELDS:
                raise ValueError("it has too many fields")
            yield one


def _plain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")


def _texts(message: memoryview, wanted: int) -> Iterator[str]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield _text(value)


def _inner(message: memoryview, wanted: int) -> memoryview:
    """The last message at a field; empty where there is none."""
    found = memoryview(b"")
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            found = value
    return found


def _value(message: memoryview) -> Value:
    tensor = _inner(_inner(message, 2), 1)
    element, shape = 0, None
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            element = value
        elif number == 2 and isinstance(value, memoryview):  # noqa: PLR2004
            shape = tuple(_dimension(dim) for at, dim in _fields(value) if at == 1)
    return Value(next(_texts(message, 1), ""), element, shape)


def _dimension(message: int | memoryview) -> int | None:
    if isinstance(message, int):
        return None
    sizes = [value for number, value in _fields(message) if number == 1 and isinstance(value, int)]
    return sizes[-1] if sizes and sizes[-1] > 0 else None


def _fields(data: memoryview) -> Message:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key >= _MAX_TAG:
            raise ValueError("a field number is too large")
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:  # noqa: PLR2004 - the wire types of protobuf: 1 and 5 have fixed lengths
            size, at = _varint(data, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if at + size > len(data):
            raise ValueError("a field is longer than its message")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            return value, at
    raise ValueError("a number is too long")
