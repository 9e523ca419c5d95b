"""What is refused when a workflow is deployed: names that nothing defines, and where they may stand.

A name first set inside a loop, a handler or a branch is local to it; writing an outer variable from a
branch needs `shared`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gpupipe.workflows.errors import Fault
from gpupipe.workflows.evaluator import Expression, ListTree, MapTree, Tree
from gpupipe.workflows.limits import PARALLEL_DEPTH
from gpupipe.workflows.stdlib import FUNCTIONS
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.syntax import nodes as syntax


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is visible at a place. `writable`: None = all of it (outside of branches)."""

    visible: frozenset[str]
    writable: frozenset[str] | None
    targets: frozenset[str]
    depth: int = 0


@dataclass(slots=True)
class Checker:
    """Checks routines; `faults` grows."""

    routines: dict[str, nodes.Routine]
    faults: list[Fault] = field(default_factory=list)

    def check(self) -> None:
        """Check every routine."""
        for routine in self.routines.values():
            names = frozenset(one.name for one in routine.parameters)
            self._steps(routine.body, _Scope(names, None, frozenset({"end"})))

    def _steps(self, body: tuple[nodes.Step, ...], scope: _Scope) -> None:
        own = frozenset(_declared(body))
        writable = None if scope.writable is None else scope.writable | (own - scope.visible)
        inside = _Scope(
            scope.visible | own,
            writable,
            scope.targets | {step.name for step in body},
            scope.depth,
        )
        seen: set[str] = set()
        for step in body:
            if step.name in seen:
                self._fault(step, f"the step name {step.name!r} stands here twice")
            seen.add(step.name)
            self._jump(step, step.next, inside)
            if step.action is not None:
                self._action(step, step.action, inside)

    def _jump(self, step: nodes.Step, target: str | None, scope: _Scope) -> None:
        if target is not None and target not in scope.targets:
            self._fault(step, f"next: there is no step {target!r} to go to")

    def _action(self, step: nodes.Step, action: nodes.Action, scope: _Scope) -> None:
        for tree in _trees(action):
            self._tree(step, tree, scope)
        for name in _written(action):
            self._write(step, name, scope)
        if isinstance(action, nodes.Call):
            self._call(step, action)
        self._nested(step, action, scope)

    def _nested(self, step: nodes.Step, action: nodes.Action, scope: _Scope) -> None:
        if isinstance(action, nodes.Block):
            self._steps(action.body, scope)
        elif isinstance(action, nodes.Switch):
            for one in action.conditions:
                self._jump(step, one.next, scope)
                if one.action is not None:
                    self._action(step, one.action, scope)
        elif isinstance(action, nodes.For):
            self._loop(action, scope)
        elif isinstance(action, nodes.Try):
            self._try(step, action, scope)
        elif isinstance(action, nodes.Parallel):
            self._parallel(step, action, scope)

    def _loop(self, action: nodes.For, scope: _Scope) -> None:
        names = frozenset(name for name in (action.value, action.index) if name)
        writable = None if scope.writable is None else scope.writable | names
        targets = frozenset({"break", "continue"} | (scope.targets & {"end"}))
        self._steps(action.body, _Scope(scope.visible | names, writable, targets, scope.depth))

    def _try(self, step: nodes.Step, action: nodes.Try, scope: _Scope) -> None:
        self._steps(action.body, scope)
        if action.retry is not None:
            self._known(step, action.retry.predicate)
        if action.handler:
            names = frozenset({action.error_name} if action.error_name else ())
            writable = None if scope.writable is None else scope.writable | names
            self._steps(
                action.handler,
                _Scope(scope.visible | names, writable, scope.targets, scope.depth),
            )

    def _parallel(self, step: nodes.Step, action: nodes.Parallel, scope: _Scope) -> None:
        if scope.depth >= PARALLEL_DEPTH:
            self._fault(step, f"parallel steps can be nested {PARALLEL_DEPTH} deep")
        for name in sorted(action.shared - scope.visible):
            self._fault(step, f"shared: there is no variable {name!r}")
        inside = _Scope(scope.visible, action.shared, frozenset(), scope.depth + 1)
        for _, body in action.branches:
            self._steps(body, inside)
        if action.loop is not None:
            for tree in _trees(action.loop):
                self._tree(step, tree, scope)
            self._loop(action.loop, inside)

    def _write(self, step: nodes.Step, name: str, scope: _Scope) -> None:
        if scope.writable is not None and name not in scope.writable:
            self._fault(step, f"{name!r} is set in a parallel step, but it is not shared")

    def _call(self, step: nodes.Step, action: nodes.Call) -> None:
        given = set(action.arguments)
        if action.function in self.routines:
            parameters = self.routines[action.function].parameters
            known = {one.name for one in parameters}
            needed = {one.name for one in parameters if not one.has_default}
        elif action.function in FUNCTIONS:
            function = FUNCTIONS[action.function]
            known = set(function.names)
            needed = {one.name for one in function.parameters if not one.optional}
        else:
            self._known(step, action.function)
            return
        for name in sorted(given - known):
            self._fault(step, f"{action.function} has no argument {name!r}")
        for name in sorted(needed - given):
            self._fault(step, f"{action.function} needs the argument {name!r}")

    def _known(self, step: nodes.Step, function: str) -> None:
        if function not in self.routines and function not in FUNCTIONS:
            self._fault(step, f"there is no function or subworkflow {function!r}")

    def _tree(self, step: nodes.Step, tree: Tree, scope: _Scope) -> None:
        if isinstance(tree, Expression):
            self._node(step, tree.node, scope)
        elif isinstance(tree, ListTree):
            for item in tree.items:
                self._tree(step, item, scope)
        elif isinstance(tree, MapTree):
            for item in tree.items.values():
                self._tree(step, item, scope)

    def _node(self, step: nodes.Step, node: syntax.Node, scope: _Scope) -> None:
        if isinstance(node, syntax.Name) and node.name not in scope.visible:
            # The service's words (troubleshooting page).
            self._fault(step, f"symbol '{node.name}' is neither a variable nor a sub-workflow name")
        if isinstance(node, syntax.Call):
            self._known(step, node.function)
            function = FUNCTIONS.get(node.function)
            if function is not None and function.blocking:
                self._fault(step, f"{node.function} can only be used in a call step")
        for below in _below(node):
            self._node(step, below, scope)

    def _fault(self, step: nodes.Step, message: str) -> None:
        self.faults.append(Fault(f"step {step.name!r}: {message}", step.line, step.column))


def _below(node: syntax.Node) -> tuple[syntax.Node, ...]:  # one return per kind  # noqa: PLR0911  # one return per kind
    match node:
        case syntax.ListLiteral(items=items):
            return items
        case syntax.Attribute(target=target):
            return (target,)
        case syntax.Index(target=target, key=key):
            return (target, key)
        case syntax.Call(arguments=arguments):
            return arguments
        case syntax.Unary(operand=operand):
            return (operand,)
        case syntax.Binary(left=left, right=right):
            return (left, right)
    return ()


def _trees(action: nodes.Action) -> Iterator[Tree]:
    """The value trees that an action evaluates itself (not those of nested steps)."""
    match action:
        case nodes.Assign(items=items):
            for item in items:
                yield item.value
                yield from _keys(item.target)
        case nodes.Call(arguments=arguments):
            yield from arguments.values()
        case nodes.Switch(conditions=conditions):
            yield from (one.condition for one in conditions)
        case nodes.For(items=found, bounds=bounds):
            yield from (one for one in (found, bounds) if one is not None)
        case nodes.Parallel(concurrency_limit=limit) if limit is not None:
            yield limit
        case nodes.Try(retry=retry) if retry is not None:
            yield from (retry.max_retries, retry.initial_delay, retry.max_delay, retry.multiplier)
        case nodes.Raise(value=value) | nodes.Return(value=value):
            yield value


def _keys(target: syntax.Node) -> Iterator[Tree]:
    """The expressions inside the brackets of an assignment's target."""
    while isinstance(target, syntax.Attribute | syntax.Index):
        if isinstance(target, syntax.Index):
            yield Expression(target.key, "")
        target = target.target


def root(target: syntax.Node) -> str:
    """The variable that an assignment changes."""
    while isinstance(target, syntax.Attribute | syntax.Index):
        target = target.target
    return target.name if isinstance(target, syntax.Name) else ""


def _written(action: nodes.Action) -> Iterator[str]:
    if isinstance(action, nodes.Assign):
        yield from (root(item.target) for item in action.items)
    elif isinstance(action, nodes.Call) and action.result:
        yield action.result


def _declared(body: tuple[nodes.Step, ...]) -> Iterator[str]:
    for step in body:
        if step.action is not None:
            yield from _declared_by(step.action)


def _declared_by(action: nodes.Action) -> Iterator[str]:
    yield from _written(action)
    if isinstance(action, nodes.Block | nodes.Try):
        yield from _declared(action.body)
    elif isinstance(action, nodes.Switch):
        for one in action.conditions:
            if one.action is not None:
                yield from _declared_by(one.action)
