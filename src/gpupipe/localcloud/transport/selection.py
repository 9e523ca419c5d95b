"""Partial answers: the `fields` parameter, such as `items(name,size),nextPageToken` or `a/b`.

What is selected is a tree of names; an empty one selects all that is there.
"""

from collections.abc import Iterator
from typing import Any

Tree = dict[str, "Tree"]
_DEPTH = 20


def read(text: str) -> Tree:
    """The tree of a selection; ValueError when it cannot be read."""
    parser = _Parser(text.replace(" ", ""))
    tree = parser.tree(0)
    if parser.rest:
        raise ValueError(text)
    return tree


def kept(tree: Tree, value: Any) -> Any:
    """The part of a JSON value that is selected."""
    if not tree:
        return value
    if isinstance(value, list):
        return [kept(tree, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: kept(below, value[key]) for key, below in _named(tree, value)}


def _named(tree: Tree, value: dict[str, Any]) -> Iterator[tuple[str, Tree]]:
    for key in value:
        if key in tree:
            yield key, tree[key]
        elif "*" in tree:
            yield key, tree["*"]


class _Parser:
    """Reads selection = path [ "(" selection ")" ] { "," ... }; path = name { "/" name }."""

    def __init__(self, text: str) -> None:
        self.text = self.rest = text

    def tree(self, depth: int) -> Tree:
        """A selection, up to its end or a closing bracket."""
        if depth > _DEPTH:
            raise ValueError(self.text)
        found: Tree = {}
        while True:
            self._path(found, depth)
            if not self._skip(","):
                return found

    def _path(self, into: Tree, depth: int) -> None:
        end = next((i for i, sign in enumerate(self.rest) if sign in ",()"), len(self.rest))
        path, self.rest = self.rest[:end], self.rest[end:]
        for name in path.split("/"):
            if not name:
                raise ValueError(self.text)
            into = into.setdefault(name, {})
        if self._skip("("):
            into.update(self.tree(depth + 1))
            if not self._skip(")"):
                raise ValueError(self.text)

    def _skip(self, sign: str) -> bool:
        if not self.rest.startswith(sign):
            return False
        self.rest = self.rest[1:]
        return True
