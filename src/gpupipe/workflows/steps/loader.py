"""The YAML tree to routines. Collects every fault; raises nothing but what it cannot go on after."""

from collections.abc import Callable
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gpupipe.workflows import limits
from gpupipe.workflows.errors import ExpressionError, Fault
from gpupipe.workflows.evaluator import Constant, Expression, ListTree, MapTree, Tree
from gpupipe.workflows.source import entries, place, scalar
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.syntax.nodes import dotted
from gpupipe.workflows.syntax.parser import parse

_ACTIONS = ("assign", "call", "switch", "for", "parallel", "try", "raise", "return", "steps")
_WITH = {"call": ("args", "result"), "try": ("retry", "except")}
_DEFAULT_RETRIES = {
    "http.default_retry": "http.default_retry_predicate",
    "http.default_retry_non_idempotent": "http.default_retry_predicate_non_idempotent",
}
# Recalled, not read: five retries, 1 s to 60 s, times 1.25.
_DEFAULT_BACKOFF = (5, 1, 60, 1.25)


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
            return {"main": nodes.Routine("main", (), self.steps(root))}
        if not isinstance(root, MappingNode):
            self.fault(root, "a workflow is a list of steps or a map of routines")
            return {}
        found = {name: self._routine(name, value) for name, _, value in entries(root)}
        if "main" not in found:
            self.fault(root, "the routine 'main' is missing")
        return found

    def _routine(self, name: str, node: Node) -> nodes.Routine:
        parts = self._parts(node, f"the routine {name!r}", ("params", "steps"))
        body = self.steps(parts["steps"]) if "steps" in parts else ()
        if "steps" not in parts:
            self.fault(node, f"the routine {name!r} has no steps")
        parameters = self._parameters(parts["params"]) if "params" in parts else ()
        most = 1 if name == "main" else limits.SUBWORKFLOW_PARAMETERS
        if len(parameters) > most:
            self.fault(node, f"the routine {name!r} has more than {most} parameters")
        return nodes.Routine(name, parameters, body)

    def _parameters(self, node: Node) -> tuple[nodes.Parameter, ...]:
        if not isinstance(node, SequenceNode):
            self.fault(node, "params must be a list")
            return ()
        return tuple(self._parameter(item) for item in node.value)

    def _parameter(self, node: Node) -> nodes.Parameter:
        if isinstance(node, MappingNode) and len(node.value) == 1:
            name, _, value = next(entries(node))
            return nodes.Parameter(name, has_default=True, default=self.tree(value))
        return nodes.Parameter(self._name(node, "a parameter"), has_default=False, default=None)

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
        name, key, body = next(entries(node))
        if not isinstance(body, MappingNode):
            self.fault(body, f"the step {name!r} is not a map")
            return None
        action, jump = self._body(body, f"the step {name!r}")
        return nodes.Step(name, action, jump, *place(key))

    def _body(
        self, node: MappingNode, what: str, extra: tuple[str, ...] = ()
    ) -> tuple[nodes.Action | None, str | None]:
        parts = {name: value for name, _, value in entries(node)}
        found = [name for name in _ACTIONS if name in parts]
        allowed = {"next", *extra, *found[:1], *(_WITH.get(found[0], ()) if found else ())}
        for name, key, _ in entries(node):
            if name not in allowed:
                self.fault(key, f"{what} cannot have {name!r} here")
        jump = self._name(parts["next"], "next") if "next" in parts else None
        if not found:
            if jump is None and not extra:
                self.fault(node, f"{what} does nothing")
            return None, jump
        return self._action(found[0], parts), jump

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
            try:
                items.append(nodes.Assignment(parse(target), self.tree(value)))
            except ExpressionError as error:
                self.fault(key, f"{target!r} cannot be assigned to: {error}")
        return nodes.Assign(tuple(items))

    def _call(self, parts: dict[str, Node]) -> nodes.Call:
        arguments: dict[str, Tree] = {}
        if "args" in parts:
            given = parts["args"]
            if isinstance(given, MappingNode):
                arguments = {name: self.tree(value) for name, _, value in entries(given)}
            else:
                self.fault(given, "args must be a map")
        result = self._name(parts["result"], "result") if "result" in parts else None
        return nodes.Call(self._name(parts["call"], "call"), arguments, result)

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
                continue
            found.append(nodes.Condition(self.tree(parts["condition"]), action, jump))
        return nodes.Switch(tuple(found))

    def _for(self, node: Node) -> nodes.For:
        parts = self._parts(node, "for", ("value", "index", "in", "range", "steps"))
        if ("in" in parts) == ("range" in parts):
            self.fault(node, "for needs exactly one of 'in' and 'range'")
        if "value" not in parts or "steps" not in parts:
            self.fault(node, "for needs 'value' and 'steps'")
        return nodes.For(
            value=self._name(parts["value"], "value") if "value" in parts else "",
            index=self._name(parts["index"], "index") if "index" in parts else None,
            items=self.tree(parts["in"]) if "in" in parts else None,
            bounds=self.tree(parts["range"]) if "range" in parts else None,
            body=self.steps(parts["steps"]) if "steps" in parts else (),
        )

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
            shared=frozenset(self._name(item, "shared") for item in shared),
            concurrency_limit=None if limit is None else self.tree(limit),
        )

    def _branches(self, node: Node) -> tuple[tuple[str, tuple[nodes.Step, ...]], ...]:
        found: list[tuple[str, tuple[nodes.Step, ...]]] = []
        for item in self._items(node, "branches", limits.BRANCHES):
            if not isinstance(item, MappingNode) or len(item.value) != 1:
                self.fault(item, "a branch is a map with one key, its name")
                continue
            name, _, value = next(entries(item))
            parts = self._parts(value, f"the branch {name!r}", ("steps",))
            found.append((name, self.steps(parts["steps"]) if "steps" in parts else ()))
        return tuple(found)

    def _try(self, parts: dict[str, Node]) -> nodes.Try:
        error_name, handler = None, None
        if "except" in parts:
            given = self._parts(parts["except"], "except", ("as", "steps"))
            error_name = self._name(given["as"], "as") if "as" in given else None
            handler = self.steps(given["steps"]) if "steps" in given else ()
        retry = self._retry(parts["retry"]) if "retry" in parts else None
        return nodes.Try(self._try_body(parts["try"]), retry, error_name, handler)

    def _try_body(self, node: Node) -> tuple[nodes.Step, ...]:
        if not isinstance(node, MappingNode):
            self.fault(node, "try must be a map")
            return ()
        if [name for name, _, _ in entries(node)] == ["steps"]:
            return self.steps(node.value[0][1])
        action, jump = self._body(node, "try")
        return (nodes.Step("try", action, jump, *place(node)),)

    def _retry(self, node: Node) -> nodes.RetryPolicy:
        if isinstance(node, ScalarNode):
            predicate = _DEFAULT_RETRIES.get(self._path(node))
            if predicate is None:
                self.fault(node, f"{node.value!r} is no retry policy")
            return _policy(predicate or "retry.never", *map(Constant, _DEFAULT_BACKOFF))
        parts = self._parts(node, "retry", ("predicate", "max_retries", "backoff"))
        back = parts.get("backoff")
        pauses = (
            {}
            if back is None
            else self._parts(back, "backoff", ("initial_delay", "max_delay", "multiplier"))
        )
        predicate = self._path(parts["predicate"]) if "predicate" in parts else "retry.never"
        retries, first, most, factor = _DEFAULT_BACKOFF
        return _policy(
            predicate,
            self._or(parts, "max_retries", retries),
            self._or(pauses, "initial_delay", first),
            self._or(pauses, "max_delay", most),
            self._or(pauses, "multiplier", factor),
        )

    def _or(self, parts: dict[str, Node], name: str, default: float) -> Tree:
        return self.tree(parts[name]) if name in parts else Constant(default)

    def _path(self, node: Node) -> str:
        """The function that `${a.b}` names."""
        tree = self.tree(node)
        path = dotted(tree.node) if isinstance(tree, Expression) else None
        if path is None:
            self.fault(node, "a function's name is wanted here, as ${name}")
        return path or ""

    def tree(self, node: Node) -> Tree:
        """A YAML value, with its expressions parsed."""
        if isinstance(node, MappingNode):
            return MapTree({name: self.tree(value) for name, _, value in entries(node)})
        if isinstance(node, SequenceNode):
            return ListTree(tuple(self.tree(item) for item in node.value))
        value = scalar(node)
        if not isinstance(value, str):
            return Constant(value)
        text = value.strip()
        if not (text.startswith("${") and text.endswith("}")):
            return Constant(value)
        try:
            return Expression(parse(text[2:-1].strip()), text[2:-1].strip())
        except ExpressionError as error:
            self.fault(node, f"the expression cannot be parsed: {error}")
            return Constant(None)

    def _items(self, node: Node, what: str, most: int | None) -> list[Node]:
        if not isinstance(node, SequenceNode) or not node.value:
            self.fault(node, f"{what} must be a list of at least one item")
            return []
        if most is not None and len(node.value) > most:
            self.fault(node, f"{what} has {len(node.value)} items; {most} are allowed")
        return list(node.value)

    def _parts(self, node: Node, what: str, allowed: tuple[str, ...]) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self.fault(node, f"{what} must be a map")
            return {}
        for name, key, _ in entries(node):
            if name not in allowed:
                self.fault(key, f"{what} cannot have {name!r}")
        return {name: value for name, _, value in entries(node)}

    def _name(self, node: Node, what: str) -> str:
        if not isinstance(node, ScalarNode) or not node.value:
            self.fault(node, f"{what} must be a name")
            return ""
        return str(node.value)


def _policy(predicate: str, *numbers: Tree) -> nodes.RetryPolicy:
    retries, first, most, factor = numbers
    return nodes.RetryPolicy(predicate, retries, first, most, factor)
