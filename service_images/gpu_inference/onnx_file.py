"""Refuses an ONNX file that would make the runtime read other files.

Contract: `uses_external_data` walks the protobuf fields that can hold a tensor (ONNX's own field
numbers) and tells whether one has `data_location = EXTERNAL` or names external data. It needs no
onnx package. Raises ValueError for what is not a protobuf message.
"""

from collections.abc import Iterator, Mapping

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
_EXTERNAL_DATA = 13
_DATA_LOCATION = 14
_MAX_DEPTH = 64


def uses_external_data(model: bytes) -> bool:
    """Whether any tensor of the model lies outside the file."""
    return _external(memoryview(model), "Model", 0)


def _external(data: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    for number, value in _fields(data):
        if kind == "Tensor":
            found = number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        else:
            inside = _INSIDE[kind].get(number)
            found = (
                inside is not None
                and isinstance(value, memoryview)
                and _external(value, inside, depth + 1)
            )
        if found:
            return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
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
