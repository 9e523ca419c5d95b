"""Expression nodes and value trees to values."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gpupipe.workflows.errors import raised
from gpupipe.workflows.operators import binary, unary
from gpupipe.workflows.syntax.nodes import (
    Attribute,
    Binary,
    Call,
    Index,
    ListLiteral,
    Literal,
    Name,
    Node,
    Unary,
)
from gpupipe.workflows.values import Value, copy, kind, truth, type_error


@dataclass(frozen=True, slots=True)
class Constant:
    """A YAML scalar that is no expression."""

    value: Value


@dataclass(frozen=True, slots=True)
class Expression:
    """`${…}`, at a line and column of the source. `inline`: all of it is on that line, as it is read."""

    node: Node
    line: int
    column: int
    inline: bool

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of what stands so many characters from the expression's beginning."""
        return self.line, self.column + (position if self.inline else 0)


@dataclass(frozen=True, slots=True)
class ListTree:
    """A YAML list whose items may hold expressions."""

    items: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class MapTree:
    """A YAML map whose keys and values may hold expressions."""

    items: tuple[tuple["Constant | Expression", "Tree"], ...]


Tree = Constant | Expression | ListTree | MapTree


class Environment(Protocol):
    """What an expression can see."""

    def lookup(self, name: str) -> Value:
        """A variable's value; KeyError of the language when it has none."""

    async def call(self, function: str, arguments: list[Value]) -> Value:
        """A function or subworkflow by position. It leaves the arguments as they are."""


async def evaluate(tree: Tree, environment: Environment) -> Value:
    """The value of a tree; containers are new, so that changing one leaves the source alone."""
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Expression):
        return copy(await evaluate_node(tree.node, environment))
    if isinstance(tree, ListTree):
        return [await evaluate(item, environment) for item in tree.items]
    found: dict[str, Value] = {}
    for key_tree, item in tree.items:
        key = await evaluate(key_tree, environment)
        if not isinstance(key, str):
            raise type_error(f"the key of a map must be a string; got: {kind(key)}")
        found[key] = await evaluate(item, environment)
    return found


async def evaluate_node(node: Node, environment: Environment) -> Value:
    """The value of an expression."""
    return await _EVALUATE[type(node)](node, environment)


async def _literal(node: Literal, _: Environment) -> Value:
    return node.value


async def _list(node: ListLiteral, environment: Environment) -> Value:
    return [await evaluate_node(item, environment) for item in node.items]


async def _name(node: Name, environment: Environment) -> Value:
    return environment.lookup(node.name)


async def _attribute(node: Attribute, environment: Environment) -> Value:
    return access(await evaluate_node(node.target, environment), node.name)


async def _index(node: Index, environment: Environment) -> Value:
    target = await evaluate_node(node.target, environment)
    return access(target, await evaluate_node(node.key, environment))


async def _call(node: Call, environment: Environment) -> Value:
    arguments = [await evaluate_node(one, environment) for one in node.arguments]
    return await environment.call(node.function, arguments)


async def _unary(node: Unary, environment: Environment) -> Value:
    return unary(node.operator, await evaluate_node(node.operand, environment))


async def _binary(node: Binary, environment: Environment) -> Value:
    left = await evaluate_node(node.left, environment)
    if node.operator in {"and", "or"}:
        # Short circuit: not documented, and without effect but for errors on the right.
        known = truth(left, f"The left side of '{node.operator}'")
        if known is (node.operator == "or"):
            return known
        right = await evaluate_node(node.right, environment)
        return truth(right, f"The right side of '{node.operator}'")
    return binary(node.operator, left, await evaluate_node(node.right, environment))


_EVALUATE: Mapping[type, Callable[..., Awaitable[Value]]] = {
    Literal: _literal,
    ListLiteral: _list,
    Name: _name,
    Attribute: _attribute,
    Index: _index,
    Call: _call,
    Unary: _unary,
    Binary: _binary,
}


def access(target: Value, key: Value) -> Value:
    """`target[key]`: KeyError, IndexError or TypeError of the language."""
    if isinstance(target, dict):
        if not isinstance(key, str):
            raise type_error(f"the key of a map must be a string; got: {kind(key)}")
        if key not in target:
            raise raised("KeyError", f"key not found: {key}")
        return target[key]
    if isinstance(target, list):
        if isinstance(key, bool) or not isinstance(key, int):
            raise type_error(f"the index of a list must be an integer; got: {kind(key)}")
        if not 0 <= key < len(target):
            raise raised("IndexError", f"index out of range: {key}")
        return target[key]
    raise type_error(f"{kind(target)} has no keys and no indexes")
