"""Partial answers: the `fields` parameter, such as `items(name,size),nextPageToken` or `a/b`.

A field that the answer does not have is left out in silence here; Google refuses names that no
resource has.
"""

from collections.abc import Iterator
from typing import Any

from gpupipe.localcloud.services.storage.refusals import StorageError

# what is kept of an object; an empty tree keeps all of it
Tree = dict[str, "Tree"]
_DEPTH = 20


def select(fields: str, body: dict[str, Any]) -> dict[str, Any]:
    """The part of a JSON object that the parameter asks for; 400 when it cannot be read."""
    parser = _Parser(fields)
    tree = parser.tree(0)
    if parser.rest:
        raise parser.error()
    found: dict[str, Any] = _kept(tree, body)
    return found


def _kept(tree: Tree, value: Any) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_kept(tree, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _kept(below, value[key]) for key, below in _named(tree, value)}


def _named(tree: Tree, value: dict[str, Any]) -> Iterator[tuple[str, Tree]]:
    for key in value:
        if key in tree:
            yield key, tree[key]
        elif "*" in tree:
            yield key, tree["*"]


class _Parser:
    """Reads selection = path [ "(" selection ")" ] { "," ... }; path = name { "/" name }."""

    def __init__(self, text: str) -> None:
        self.text = self.rest = text.replace(" ", "")

    def tree(self, depth: int) -> Tree:
        """A selection, up to its end or a closing bracket."""
        if depth > _DEPTH:
            raise self.error()
        found: Tree = {}
        while True:
            self._path(found, depth)
            if not self._skip(","):
                return found

    def error(self) -> StorageError:
        """The refusal of a text that is no selection (own words)."""
        return StorageError(400, "invalidParameter", f"Invalid field selection {self.text}")

    def _path(self, into: Tree, depth: int) -> None:
        end = next((i for i, sign in enumerate(self.rest) if sign in ",()"), len(self.rest))
        path, self.rest = self.rest[:end], self.rest[end:]
        for name in path.split("/"):
            if not name:
                raise self.error()
            into = into.setdefault(name, {})
        if self._skip("("):
            into.update(self.tree(depth + 1))
            if not self._skip(")"):
                raise self.error()

    def _skip(self, sign: str) -> bool:
        if not self.rest.startswith(sign):
            return False
        self.rest = self.rest[1:]
        return True
