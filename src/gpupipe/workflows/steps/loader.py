"""The YAML tree to routines. Collects every fault; raises nothing but what it cannot go on after.

What is broken is left out or stands as nothing, so that the checker can look at the rest.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gpupipe.workflows import limits
from gpupipe.workflows.errors import ExpressionError, Fault
from gpupipe.workflows.evaluator import Constant, Expression, ListTree, MapTree, Tree
from gpupipe.workflows.source import entries, place, scalar
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.steps.nodes import Word
from gpupipe.workflows.syntax.nodes import Attribute, Index, Name, dotted
from gpupipe.workflows.syntax.nodes import Node as Syntax
from gpupipe.workflows.syntax.parser import parse

_ACTIONS = ("assign", "call", "switch", "for", "parallel", "try", "raise", "return", "steps")
_WITH = {"call": ("args", "result"), "try": ("retry", "except")}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DEFAULT_RETRIES = {
    "http.default_retry": "http.default_retry_predicate",
    "http.default_retry_non_idempotent": "http.default_retry_predicate_non_idempotent",
}
_DEFAULT_BACKOFF = "retry.default_backoff"
# Recalled, not read: five retries, 1 s to 60 s, times 1.25.
_RETRIES, _FIRST, _MOST, _FACTOR = 5, 1, 60, 1.25
# A policy without a predicate is not documented.
_NO_PREDICATE = "retry.always"
_LEAST_BRANCHES = 2
_BOUNDS = 2
_NOTHING = Constant(None)


@dataclass(slots=True)
class Loader:
    """Turns nodes into steps; `faults` grows."""

    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: Node, message: str) -> None:
        """Note a fault at a node."""
        self.faults.append(Fault(message, *place(node)))

    def routines(self, root: Node) -> dict[str, nodes.Routine]:
        """All routines; a list of steps is `main` without parameters."""
        if isinstance(root, SequenceNode):
            return {"main": nodes.Routine(Word("main", *place(root)), (), self.steps(root))}
        if not isinstance(root, MappingNode):
            self.fault(root, "a workflow is a list of steps or a map of routines")
            return {}
        found = {name: self._routine(name, key, value) for name, key, value in entries(root)}
        if "main" not in found:
            self.fault(root, "the routine 'main' is missing")
        return found

    def _routine(self, name: str, key: Node, node: Node) -> nodes.Routine:
        if not _VARIABLE.fullmatch(name):
            self.fault(key, f"{name!r} cannot be the name of a subworkflow")
        parts = self._parts(node, f"the routine {name!r}", ("params", "steps"), ("steps",))
        body = self.steps(parts["steps"]) if "steps" in parts else ()
        parameters = self._parameters(parts["params"]) if "params" in parts else ()
        if name == "main" and parameters and parameters[0].default is not None:
            self.fault(parts["params"], "the parameter of 'main' cannot have a default")
        most = 1 if name == "main" else limits.SUBWORKFLOW_PARAMETERS
        if len(parameters) > most:
            self.fault(node, f"the routine {name!r} has more than {most} parameters")
        return nodes.Routine(Word(name, *place(key)), parameters, body)

    def _parameters(self, node: Node) -> tuple[nodes.Parameter, ...]:
        if not isinstance(node, SequenceNode):
            self.fault(node, "params must be a list")
            return ()
        found: dict[str, nodes.Parameter] = {}
        for item in node.value:
            one = self._parameter(item)
            if one.name.text in found:
                self.fault(item, f"the parameter {one.name.text!r} stands here twice")
            found[one.name.text] = one
        return tuple(found.values())

    def _parameter(self, node: Node) -> nodes.Parameter:
        if isinstance(node, MappingNode) and len(node.value) == 1:
            _, key, value = next(entries(node))
            return nodes.Parameter(self._variable(key, "a parameter"), self.tree(value))
        return nodes.Parameter(self._variable(node, "a parameter"), None)

    def steps(self, node: Node) -> tuple[nodes.Step, ...]:
        """A list of steps."""
        if not isinstance(node, SequenceNode) or not node.value:
            self.fault(node, "steps must be a list of at least one step")
            return ()
        return tuple(step for item in node.value if (step := self._step(item)) is not None)

    def _step(self, node: Node) -> nodes.Step | None:
        if not isinstance(node, MappingNode) or len(node.value) != 1:
            self.fault(node, "a step is a map with one key, its name")
            return None
        _, key, body = next(entries(node))
        name = self._word(key, "a step")
        if not isinstance(body, MappingNode):
            self.fault(body, f"the step {name.text!r} is not a map")
            return nodes.Step(name, None, None)
        return nodes.Step(name, *self._body(body, f"the step {name.text!r}"))

    def _body(
        self, node: MappingNode, what: str, extra: tuple[str, ...] = ()
    ) -> tuple[nodes.Action | None, Word | None]:
        parts = {name: value for name, _, value in entries(node)}
        found = [name for name in _ACTIONS if name in parts]
        allowed = {"next", *extra, *found[:1], *(_WITH.get(found[0], ()) if found else ())}
        for name, key, _ in entries(node):
            if name not in allowed:
                self.fault(key, f"{what} cannot have {name!r} here")
        jump = self._word(parts["next"], "next") if "next" in parts else None
        if found:
            return self._action(found[0], parts), jump
        if jump is None and not extra:
            self.fault(node, f"{what} does nothing")
        return None, jump

    def _action(self, name: str, parts: dict[str, Node]) -> nodes.Action:
        make: dict[str, Callable[[], nodes.Action]] = {
            "assign": lambda: self._assign(parts["assign"]),
            "call": lambda: self._call(parts),
            "switch": lambda: self._switch(parts["switch"]),
            "for": lambda: self._for(parts["for"]),
            "parallel": lambda: self._parallel(parts["parallel"]),
            "try": lambda: self._try(parts),
            "raise": lambda: nodes.Raise(self.tree(parts["raise"])),
            "return": lambda: nodes.Return(self.tree(parts["return"])),
            "steps": lambda: nodes.Block(self.steps(parts["steps"])),
        }
        return make[name]()

    def _assign(self, node: Node) -> nodes.Assign:
        items: list[nodes.Assignment] = []
        for item in self._items(node, "assign", limits.ASSIGNMENTS):
            if not isinstance(item, MappingNode) or len(item.value) != 1:
                self.fault(item, "an assignment is a map with one key")
                continue
            target, key, value = next(entries(item))
            tree, left = self.tree(value), self._target(target, key)
            items.append(nodes.Assignment(Word(_root(left).name, *place(key)), left, tree))
        return nodes.Assign(tuple(items))

    def _target(self, text: str, node: Node) -> Syntax:
        """The left side; of a broken one the variable alone, so that it counts as set."""
        try:
            target = parse(text)
        except ExpressionError as error:
            self.fault(node, f"{text!r} cannot be assigned to: {error}")
            head = _VARIABLE.match(text)
            return Name(head[0] if head else "")
        if not _root(target).name:
            self.fault(node, f"{text!r} cannot be assigned to: it begins with no variable")
        return target

    def _call(self, parts: dict[str, Node]) -> nodes.Call:
        arguments = self._arguments(parts["args"]) if "args" in parts else {}
        result = self._variable(parts["result"], "result") if "result" in parts else None
        return nodes.Call(self._word(parts["call"], "call"), arguments, result)

    def _arguments(self, node: Node) -> dict[Word, Tree] | tuple[Tree, ...]:
        if isinstance(node, MappingNode):
            return {Word(name, *place(key)): self.tree(value) for name, key, value in entries(node)}
        if isinstance(node, SequenceNode):
            return tuple(self.tree(item) for item in node.value)
        self.fault(node, "args must be a map, or a list in the order of the parameters")
        return {}

    def _switch(self, node: Node) -> nodes.Switch:
        found: list[nodes.Condition] = []
        for item in self._items(node, "switch", limits.CONDITIONS):
            if not isinstance(item, MappingNode):
                self.fault(item, "an entry of a switch is a map")
                continue
            parts = {name: value for name, _, value in entries(item)}
            action, jump = self._body(item, "a switch entry", ("condition",))
            if "condition" not in parts:
                self.fault(item, "a switch entry has no condition")
            condition = self._condition(parts["condition"]) if "condition" in parts else _NOTHING
            found.append(nodes.Condition(condition, action, jump))
        return nodes.Switch(tuple(found))

    def _condition(self, node: Node) -> Tree:
        known = len(self.faults)
        tree = self.tree(node)
        is_boolean = isinstance(tree, Constant) and isinstance(tree.value, bool)
        if not (isinstance(tree, Expression) or is_boolean) and len(self.faults) == known:
            self.fault(node, "a condition must be true, false or an expression")
        return tree

    def _for(self, node: Node) -> nodes.For:
        keys = ("value", "index", "in", "range", "steps")
        parts = self._parts(node, "for", keys, ("value", "steps"))
        if ("in" in parts) == ("range" in parts):
            self.fault(node, "for needs exactly one of 'in' and 'range'")
        elif "range" in parts and "index" in parts:
            self.fault(parts["index"], "'index' goes with 'in', not with 'range'")
        return nodes.For(
            value=self._variable(parts["value"], "value") if "value" in parts else _nothing(node),
            index=self._variable(parts["index"], "index") if "index" in parts else None,
            items=self.tree(parts["in"]) if "in" in parts else None,
            bounds=self._bounds(parts["range"]) if "range" in parts else None,
            body=self.steps(parts["steps"]) if "steps" in parts else (),
        )

    def _bounds(self, node: Node) -> Tree:
        tree = self.tree(node)
        if not isinstance(tree, Expression) and not (
            isinstance(tree, ListTree) and len(tree.items) == _BOUNDS
        ):
            self.fault(node, "range must be a list of two numbers")
        return tree

    def _parallel(self, node: Node) -> nodes.Parallel:
        keys = ("branches", "for", "shared", "concurrency_limit", "exception_policy")
        parts = self._parts(node, "parallel", keys)
        if ("branches" in parts) == ("for" in parts):
            self.fault(node, "parallel needs exactly one of 'branches' and 'for'")
        policy = parts.get("exception_policy")
        if policy is not None and policy.value != "continueAll":
            self.fault(policy, "the only exception_policy is continueAll")
        shared = self._items(parts["shared"], "shared", None) if "shared" in parts else []
        limit = parts.get("concurrency_limit")
        return nodes.Parallel(
            branches=self._branches(parts["branches"]) if "branches" in parts else (),
            loop=self._for(parts["for"]) if "for" in parts else None,
            shared=tuple(self._variable(item, "shared") for item in shared),
            concurrency_limit=None if limit is None else self._limit(limit),
        )

    def _limit(self, node: Node) -> Tree:
        tree = self.tree(node)
        if not isinstance(tree, Expression) and not _is_positive(tree):
            self.fault(node, "concurrency_limit must be a positive integer")
        return tree

    def _branches(self, node: Node) -> tuple[tuple[str, tuple[nodes.Step, ...]], ...]:
        found: dict[str, tuple[nodes.Step, ...]] = {}
        items = self._items(node, "branches", limits.BRANCHES)
        if len(items) == 1:
            self.fault(node, f"branches must be a list of at least {_LEAST_BRANCHES} branches")
        for item in items:
            if not isinstance(item, MappingNode) or len(item.value) != 1:
                self.fault(item, "a branch is a map with one key, its name")
                continue
            name, key, value = next(entries(item))
            if name in found:
                self.fault(key, f"the branch {name!r} stands here twice")
            parts = self._parts(value, f"the branch {name!r}", ("steps",), ("steps",))
            found[name] = self.steps(parts["steps"]) if "steps" in parts else ()
        return tuple(found.items())

    def _try(self, parts: dict[str, Node]) -> nodes.Try:
        error_name, handler = None, None
        if "except" in parts:
            given = self._parts(parts["except"], "except", ("as", "steps"))
            error_name = self._variable(given["as"], "as") if "as" in given else None
            handler = self.steps(given["steps"]) if "steps" in given else ()
        retry = self._retry(parts["retry"]) if "retry" in parts else None
        return nodes.Try(*self._tried(parts["try"]), retry, error_name, handler)

    def _tried(self, node: Node) -> tuple[nodes.Action | None, Word | None]:
        """One step's body, or a list of steps."""
        if isinstance(node, SequenceNode):
            return nodes.Block(self.steps(node)), None
        if isinstance(node, MappingNode):
            return self._body(node, "try")
        self.fault(node, "try must be a map or a list of steps")
        return None, None

    def _retry(self, node: Node) -> nodes.RetryPolicy:
        if isinstance(node, ScalarNode):
            given = self._path(node)
            known = _DEFAULT_RETRIES.get(given.text, "")
            if given.text and not known:
                self.fault(node, f"{given.text!r} is no retry policy")
            return self._policy(Word(known, given.line, given.column), {}, {})
        parts = self._parts(node, "retry", ("predicate", "max_retries", "backoff"))
        back = parts.get("backoff")
        pauses: dict[str, Node] = {}
        if isinstance(back, ScalarNode):
            if self._path(back).text != _DEFAULT_BACKOFF:
                self.fault(back, f"backoff must be a map or ${{{_DEFAULT_BACKOFF}}}")
        elif back is not None:
            pauses = self._parts(back, "backoff", ("initial_delay", "max_delay", "multiplier"))
        predicate = parts.get("predicate")
        return self._policy(
            Word(_NO_PREDICATE, *place(node)) if predicate is None else self._path(predicate),
            parts,
            pauses,
        )

    def _policy(
        self, predicate: Word, parts: dict[str, Node], pauses: dict[str, Node]
    ) -> nodes.RetryPolicy:
        return nodes.RetryPolicy(
            predicate,
            self._or(parts, "max_retries", _RETRIES),
            self._or(pauses, "initial_delay", _FIRST),
            self._or(pauses, "max_delay", _MOST),
            self._or(pauses, "multiplier", _FACTOR),
        )

    def _or(self, parts: dict[str, Node], name: str, default: float) -> Tree:
        return self.tree(parts[name]) if name in parts else Constant(default)

    def _path(self, node: Node) -> Word:
        """The function that `${a.b}` names."""
        known = len(self.faults)
        tree = self.tree(node)
        path = dotted(tree.node) if isinstance(tree, Expression) else None
        if path is None and len(self.faults) == known:
            self.fault(node, "a function's name is wanted here, as ${name}")
        return Word(path or "", *place(node))

    def tree(self, node: Node) -> Tree:
        """A YAML value, with its expressions parsed."""
        if isinstance(node, MappingNode):
            return MapTree(
                tuple((self._key(name, key), self.tree(item)) for name, key, item in entries(node))
            )
        if isinstance(node, SequenceNode):
            return ListTree(tuple(self.tree(item) for item in node.value))
        assert isinstance(node, ScalarNode)  # noqa: S101  # YAML has no fourth kind
        try:
            value = scalar(node)
        except ValueError as error:
            self.fault(node, str(error))
            return Constant(None)
        if isinstance(value, str):
            return self._key(value, node)
        return Constant(value)

    def _key(self, value: str, node: Node) -> Constant | Expression:
        """A text: what it says, or the expression that it is."""
        assert isinstance(node, ScalarNode)  # noqa: S101  # other keys are refused before
        text = value.strip()
        if text.startswith("${") and text.endswith("}"):
            return self._expression(node, value)
        return Constant(value)

    def _expression(self, node: ScalarNode, value: str) -> Constant | Expression:
        line, column = place(node)
        # Plain and quoted scalars on one line stand in the source as they are read.
        inline = node.start_mark.line == node.end_mark.line and node.style in {None, "'", '"'}
        inner = value.strip()[2:-1]
        if inline:
            before = value.index("${") + 2 + len(inner) - len(inner.lstrip())
            column += before + (node.style is not None)
        try:
            return Expression(parse(inner.strip()), line, column, inline)
        except ExpressionError as error:
            column += error.position if inline else 0
            self.faults.append(Fault(f"the expression cannot be parsed: {error}", line, column))
            return Constant(None)

    def _items(self, node: Node, what: str, most: int | None) -> list[Node]:
        if not isinstance(node, SequenceNode) or not node.value:
            self.fault(node, f"{what} must be a list of at least one item")
            return []
        if most is not None and len(node.value) > most:
            self.fault(node, f"{what} has {len(node.value)} items; {most} are allowed")
        return list(node.value)

    def _parts(
        self, node: Node, what: str, allowed: tuple[str, ...], needed: tuple[str, ...] = ()
    ) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self.fault(node, f"{what} must be a map")
            return {}
        for name, key, _ in entries(node):
            if name not in allowed:
                self.fault(key, f"{what} cannot have {name!r}")
        parts = {name: value for name, _, value in entries(node)}
        for name in needed:
            if name not in parts:
                self.fault(node, f"{what} needs {name!r}")
        return parts

    def _word(self, node: Node, what: str) -> Word:
        if not isinstance(node, ScalarNode) or not node.value:
            self.fault(node, f"{what} must be a name")
            return _nothing(node)
        return Word(str(node.value), *place(node))

    def _variable(self, node: Node, what: str) -> Word:
        word = self._word(node, what)
        if word.text and not _is_variable(word.text):
            self.fault(node, f"{what}: {word.text!r} cannot be the name of a variable")
        return word


def _nothing(node: Node) -> Word:
    """The place of a name that is missing."""
    return Word("", *place(node))


def _root(target: Syntax) -> Name:
    """The variable that an assignment changes; one without a name where there is none."""
    while isinstance(target, Attribute | Index):
        target = target.target
    return target if isinstance(target, Name) else Name("")


def _is_variable(text: str) -> bool:
    """Words of the language are none."""
    try:
        return bool(_VARIABLE.fullmatch(text)) and isinstance(parse(text), Name)
    except ExpressionError:
        return False


def _is_positive(tree: Tree) -> bool:
    return isinstance(tree, Constant) and type(tree.value) is int and tree.value > 0
