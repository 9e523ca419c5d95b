"""The source text as a tree of nodes that know their line and column. YAML, so JSON as well.

Scalars are typed as YAML 1.2 has it: `yes`, `on` and `12:30` are text. An alias stands for a copy of
what its anchor names; the copies are counted before anything is made of them.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gpupipe.workflows.errors import Fault, SourceError
from gpupipe.workflows.limits import EXPRESSION_CHARACTERS, SOURCE_BYTES, SOURCE_NODES
from gpupipe.workflows.values import LEAST_INTEGER, MOST_INTEGER, well_formed

_DEPTH = 100
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "<<"
# Braces stand in an expression only as its ends, and in texts.
_EXPRESSION = re.compile(r"""\$\{(?:[^"'{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\}""", re.DOTALL)
_MOST_EXPRESSION = 2 * EXPRESSION_CHARACTERS  # with its blanks
_TOO_DEEP = "the source is nested too deeply"


class _Loader(yaml.SafeLoader):
    """Nodes only: nothing is constructed, and no scalar gets a type from PyYAML."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's

    def compose_scalar_node(self, anchor: Any) -> ScalarNode:
        """A scalar; one that is tagged as text counts as quoted."""
        tagged = self.peek_event().tag == _TEXT  # type: ignore[no-untyped-call]  # PyYAML
        node = super().compose_scalar_node(anchor)
        node.style = node.style or ('"' if tagged else None)
        return node

    def scan_plain(self) -> Any:
        """In `[${a}, ${b}]` the braces belong to the expressions (Google's samples write it so)."""
        length = self._expression() if self.flow_level else 0
        if not length:
            return super().scan_plain()
        start, text = self.get_mark(), self.prefix(length)
        self.forward(length)
        return yaml.ScalarToken(text, True, start, self.get_mark())  # noqa: FBT003

    def _expression(self) -> int:
        """How many characters the expression has that begins here; 0 where none does."""
        if self.prefix(2) != "${":
            return 0
        match = _EXPRESSION.match(self.prefix(_MOST_EXPRESSION))
        return match.end() if match else 0

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """PyYAML looks far ahead for keys: many open brackets would take it seconds."""
        if self.flow_level > _DEPTH:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(token)


def compose(text: str) -> tuple[Node, tuple[Fault, ...]]:
    """The root node, and what is wrong with the tree and yet lets it be looked at.

    SourceError for what cannot be: broken YAML, too large a source, aliases without an end.
    """
    text = well_formed(text)
    if len(text.encode()) > SOURCE_BYTES:
        raise SourceError((Fault(f"the source is larger than {SOURCE_BYTES} bytes", 1, 1),))
    root = _root(_without_tabs(text))
    faults = _Faults()
    found = tuple(faults.of(root))
    if faults.fatal:
        raise SourceError(found)
    return root, found


def _root(text: str) -> Node:
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError((Fault(str(error.problem or error), line, column),)) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SourceError(
            (Fault(f"a character that YAML does not allow: {error.reason}", line, column),)
        ) from error
    # ValueError, IndexError: PyYAML's own, for escapes and tags that it does not expect.
    except (yaml.YAMLError, RecursionError, ValueError, IndexError) as error:
        raise SourceError((Fault("the YAML is nested too deeply, or broken", 1, 1),)) from error
    if root is None:
        raise SourceError((Fault("the source is empty", 1, 1),))
    return root


def _without_tabs(text: str) -> str:
    """JSON may be indented with tabs, YAML may not; in JSON no tab can be part of a text."""
    if "\t" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


def place(node: Node) -> tuple[int, int]:
    """Line and column of a node, from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def scalar(node: ScalarNode) -> object:
    """The typed value of a scalar: unquoted true, 1, 1.5, null are typed, quoted ones are text.

    ValueError for an integer that does not fit in 64 bits.
    """
    if node.style is not None:
        return well_formed(node.value)
    for pattern, made in _TYPED:
        if pattern.fullmatch(node.value):
            return made(node.value)
    return well_formed(node.value)


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text if base == 10 else text[2:]  # noqa: PLR2004
    if len(digits.lstrip("+-0")) > _MOST_DIGITS:
        raise ValueError("the integer does not fit in 64 bits")
    value = int(digits, base)
    if not LEAST_INTEGER <= value <= MOST_INTEGER:
        raise ValueError("the integer does not fit in 64 bits")
    return value


_MOST_DIGITS = 25  # in any base
_TYPED: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = tuple(
    (re.compile(pattern, re.ASCII), made)
    for pattern, made in (
        (r"|~|null|Null|NULL", lambda _: None),
        (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
        (r"[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+", _integer),
        (r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", float),
        (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", lambda text: float(text.replace(".", ""))),
    )
)


def entries(node: MappingNode) -> Iterator[tuple[str, Node, Node]]:
    """Key text, key node and value node of a map."""
    for key, value in node.value:
        yield well_formed(str(key.value)), key, value


class _Faults:
    """What is wrong with a tree as such. `fatal`: it is no tree that can be walked."""

    def __init__(self) -> None:
        self._above: set[int] = set()
        self._nodes = 0
        self.fatal = False

    def of(self, node: Node) -> Iterator[Fault]:
        """The faults below a node."""
        self._nodes += 1
        if self._nodes == SOURCE_NODES:
            self.fatal = True
            yield Fault(f"the aliases make more than {SOURCE_NODES} values", *place(node))
        if self._nodes >= SOURCE_NODES:
            return
        if id(node) in self._above or len(self._above) > _DEPTH:
            self.fatal = True
            yield Fault("the source is nested too deeply, or in itself", *place(node))
            return
        if not (node.tag or _TEXT).startswith(_KNOWN_TAGS):
            yield Fault(f"the YAML tag {node.tag} cannot be used", *place(node))
        self._above.add(id(node))
        yield from self._below(node)
        self._above.discard(id(node))

    def _below(self, node: Node) -> Iterator[Fault]:
        if isinstance(node, SequenceNode):
            for item in node.value:
                yield from self.of(item)
        elif isinstance(node, MappingNode):
            self.fatal |= not all(isinstance(key, ScalarNode) for key, _ in node.value)
            yield from _double_keys(node)
            for _, value in node.value:
                yield from self.of(value)


_KNOWN_TAGS = (_TEXT, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


def _double_keys(node: MappingNode) -> Iterator[Fault]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            yield Fault("a key must be text", *place(key))
        elif key.value == _MERGE and key.style is None:
            yield Fault("YAML's merge key '<<' cannot be used", *place(key))
        elif key.value in seen:
            yield Fault(f"the key {key.value!r} stands here twice", *place(key))
        else:
            seen.add(key.value)
