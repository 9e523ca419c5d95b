"""Writes small ONNX files, as protobuf messages by ONNX's own field numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

FLOAT, INT64 = 1, 7


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def text(field: int, value: str) -> bytes:
    return message(field, value.encode())


def value_info(field: int, name: str, element: int, shape: Sequence[int | str]) -> bytes:
    """An input (field 11) or output (12) of a graph; a text in the shape is a free size."""
    dims = [
        message(1, number(1, size) if isinstance(size, int) else text(2, size)) for size in shape
    ]
    return message(
        field, text(1, name), message(2, message(1, number(1, element), message(2, *dims)))
    )


def ints(name: str, *values: int) -> bytes:
    """An attribute."""
    return message(5, text(1, name), *(number(8, value) for value in values), number(20, 7))


def integer(name: str, value: int) -> bytes:
    """An attribute."""
    return message(5, text(1, name), number(3, value), number(20, 2))


def node(
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *attributes: bytes,
    domain: str = "",
) -> bytes:
    return message(
        1,
        *(text(1, name) for name in inputs),
        *(text(2, name) for name in outputs),
        text(4, operator),
        *attributes,
        *([text(7, domain)] if domain else []),
    )


def tensor(name: str, element: int, shape: Sequence[int], raw: bytes, *more: bytes) -> bytes:
    """An initializer."""
    dims = b"".join(number(1, size) for size in shape)
    return message(5, dims, number(2, element), text(8, name), message(9, raw), *more)


@dataclass(frozen=True)
class Graph:
    """The parts of a graph, and the domains of operators that it imports beside ai.onnx."""

    parts: Sequence[bytes]
    domains: Sequence[str] = ()
    opset: int = 17
    ir_version: int = 8

    def model(self) -> bytes:
        """The file."""
        imports = [message(8, text(1, domain), number(2, 1)) for domain in self.domains]
        graph = message(7, *self.parts, text(2, "g"))
        imports.append(message(8, text(1, ""), number(2, self.opset)))
        return number(1, self.ir_version) + graph + b"".join(imports)
