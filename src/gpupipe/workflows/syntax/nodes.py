"""One frozen class per construct of an expression."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A variable. `position`: characters from the expression's beginning."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`x.name`."""

    target: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`x[key]`."""

    target: "Node"
    key: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """`namespace.function(a, b)` or `subworkflow(a)`."""

    function: str
    arguments: tuple["Node", ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`."""

    operator: str
    left: "Node"
    right: "Node"


Node = Literal | ListLiteral | Name | Attribute | Index | Call | Unary | Binary


def first_name(node: Node) -> Name | None:
    """The `a` of `a.b.c` where a node is such a path, else None."""
    while isinstance(node, Attribute):
        node = node.target
    return node if isinstance(node, Name) else None


def dotted(node: Node) -> str | None:
    """`a.b.c` as text where a node is such a path, else None."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Attribute):
        head = dotted(node.target)
        return None if head is None else f"{head}.{node.name}"
    return None
