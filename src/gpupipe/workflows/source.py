"""The source text as a tree of nodes that know their line and column. YAML, so JSON as well."""

from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gpupipe.workflows.errors import Fault, SourceError
from gpupipe.workflows.limits import SOURCE_BYTES

_DEPTH = 100


class _Loader(yaml.SafeLoader):
    """Plain data only; no Python objects, no aliases."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML
            raise yaml.composer.ComposerError(
                None, None, "aliases are not allowed", event.start_mark
            )
        return super().compose_node(parent, index)


def compose(text: str) -> Node:
    """The root node. SourceError for broken YAML, too large a source, double keys."""
    if len(text.encode()) > SOURCE_BYTES:
        raise SourceError((Fault(f"the source is larger than {SOURCE_BYTES} bytes", 1, 1),))
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError((Fault(str(error.problem or error), line, column),)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError((Fault(str(error) or "the YAML is nested too deeply", 1, 1),)) from error
    finally:
        loader.dispose()
    if root is None:
        raise SourceError((Fault("the source is empty", 1, 1),))
    faults = tuple(_double_keys(root, 0))
    if faults:
        raise SourceError(faults)
    return root


def place(node: Node) -> tuple[int, int]:
    """Line and column of a node, from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def scalar(node: Node) -> object:
    """The typed value of a scalar: unquoted true, 1, 1.5, null are typed, quoted ones are text."""
    constructor = yaml.constructor.SafeConstructor()
    if node.tag in _TYPED:
        return constructor.construct_object(node)
    # Dates and other YAML types are text in Workflows.
    return node.value


_TYPED = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str"))


def entries(node: MappingNode) -> Iterator[tuple[str, Node, Node]]:
    """Key text, key node and value node of a map."""
    for key, value in node.value:
        yield str(key.value), key, value


def _double_keys(node: Node, depth: int) -> Iterator[Fault]:
    if depth > _DEPTH:
        yield Fault("the source is nested too deeply", *place(node))
        return
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                yield Fault("a key must be text", *place(key))
            elif key.value in seen:
                yield Fault(f"the key {key.value!r} stands here twice", *place(key))
            else:
                seen.add(key.value)
            yield from _double_keys(value, depth + 1)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _double_keys(item, depth + 1)
