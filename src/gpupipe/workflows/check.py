"""What is refused when a workflow is deployed: names that nothing defines, and where they may stand.

A name first set inside a loop, a handler or a branch is local to it; writing an outer variable from a
branch needs `shared`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gpupipe.workflows.errors import Fault
from gpupipe.workflows.evaluator import Expression, ListTree, MapTree, Tree
from gpupipe.workflows.stdlib import FUNCTIONS, not_emulated
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.steps.nodes import Word
from gpupipe.workflows.syntax import nodes as syntax


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is visible at a place. `writable`: None = all of it (outside of branches)."""

    visible: frozenset[str]
    writable: frozenset[str] | None
    targets: frozenset[str]
    in_branch: bool = False

    def with_names(self, words: Sequence[Word | None]) -> "_Scope":
        """With variables of a loop or a handler."""
        names = frozenset(word.text for word in words if word is not None)
        writable = None if self.writable is None else self.writable | names
        return replace(self, visible=self.visible | names, writable=writable)


@dataclass(frozen=True, slots=True)
class _Signature:
    """The names that a function takes, in order, those that it needs, and those not emulated."""

    names: tuple[str, ...]
    needed: frozenset[str]
    refused: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Checker:
    """Checks routines; `faults` grows."""

    routines: dict[str, nodes.Routine]
    faults: list[Fault] = field(default_factory=list)
    _where: str = "routine"
    _step: Word = field(default=Word("", 1, 1))
    _names: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Check every routine."""
        for routine in self.routines.values():
            self._step, self._where, self._names = routine.name, "routine", set()
            names = [one.name for one in routine.parameters]
            scope = _Scope(frozenset(), None, frozenset({"end"}))
            for one in routine.parameters:
                if one.default is not None:
                    self._tree(one.default, scope)
            self._where = "step"
            self._steps(routine.body, scope.with_names(names))

    def _steps(self, body: tuple[nodes.Step, ...], scope: _Scope) -> None:
        own = frozenset(word.text for word in _declared(body))
        writable = None if scope.writable is None else scope.writable | (own - scope.visible)
        inside = replace(
            scope,
            visible=scope.visible | own,
            writable=writable,
            targets=scope.targets | {step.name.text for step in body},
        )
        for step in body:
            self._step = step.name
            if step.name.text in self._names:
                self._fault(step.name, "the step name is there twice in its routine")
            self._names.add(step.name.text)
            self._jump(step.next, inside)
            if step.action is not None:
                self._action(step.action, inside)

    def _jump(self, target: Word | None, scope: _Scope) -> None:
        if target is not None and target.text and target.text not in scope.targets:
            self._fault(target, f"next: there is no step {target.text!r} to go to")

    def _action(self, action: nodes.Action, scope: _Scope) -> None:
        for tree in _trees(action):
            self._tree(tree, scope)
        for word in _written(action):
            self._write(word, scope)
        if scope.in_branch and isinstance(action, nodes.Return):
            self._fault(self._step, "return cannot stand in a parallel step")
        step = self._step
        self._nested(action, scope)
        self._step = step

    def _nested(self, action: nodes.Action, scope: _Scope) -> None:
        match action:
            case nodes.Call():
                self._call(action)
            case nodes.Block(body=body):
                self._steps(body, scope)
            case nodes.Switch(conditions=conditions):
                for one in conditions:
                    self._inner(one.action, one.next, scope)
            case nodes.For():
                self._loop(action, scope, frozenset({"break", "continue"}))
            case nodes.Try():
                self._try(action, scope)
            case nodes.Parallel():
                self._parallel(action, scope)

    def _inner(self, action: nodes.Action | None, jump: Word | None, scope: _Scope) -> None:
        self._jump(jump, scope)
        if action is not None:
            self._action(action, scope)

    def _loop(self, action: nodes.For, scope: _Scope, ends: frozenset[str]) -> None:
        targets = ends | (scope.targets & {"end"})
        inside = replace(scope.with_names([action.value, action.index]), targets=targets)
        self._steps(action.body, inside)

    def _try(self, action: nodes.Try, scope: _Scope) -> None:
        self._inner(action.body, action.next, scope)
        if action.retry is not None and action.retry.predicate.text:
            self._predicate(action.retry.predicate)
        if action.handler:
            self._steps(action.handler, scope.with_names([action.error_name]))

    def _predicate(self, word: Word) -> None:
        signature = self._signature(word, word.text)
        if signature is not None and not (len(signature.needed) <= 1 <= len(signature.names)):
            self._fault(word, f"a retry predicate takes one argument; {word.text} does not")

    def _parallel(self, action: nodes.Parallel, scope: _Scope) -> None:
        for word in action.shared:
            if word.text and word.text not in scope.visible:
                self._fault(word, f"shared: there is no variable {word.text!r}")
            else:
                self._write(word, scope)
        shared = frozenset(word.text for word in action.shared)
        inside = _Scope(scope.visible, shared, frozenset(), in_branch=True)
        for _, body in action.branches:
            self._steps(body, inside)
        if action.loop is not None:
            for tree in _trees(action.loop):
                self._tree(tree, scope)
            # That a `break` ends nothing here is not documented: refused.
            self._loop(action.loop, inside, frozenset({"continue"}))

    def _write(self, word: Word, scope: _Scope) -> None:
        if scope.writable is not None and word.text not in scope.writable:
            self._fault(word, f"{word.text!r} is set in a parallel step, but it is not shared")

    def _call(self, action: nodes.Call) -> None:
        name = action.function.text
        signature = self._signature(action.function, name) if name else None
        if signature is None:
            return
        if isinstance(action.arguments, tuple):
            self._by_position(action.function, signature, len(action.arguments))
            return
        given: set[str] = set()
        for word in action.arguments:
            argument = signature.aliases.get(word.text, word.text)
            given.add(argument)
            if argument in signature.refused:
                self._fault(word, f"{name}: the argument {word.text!r} is not emulated")
            elif argument not in signature.names:
                self._fault(word, f"{name} has no argument {word.text!r}")
        for missing in sorted(signature.needed - given):
            self._fault(action.function, f"{name} needs the argument {missing!r}")

    def _signature(self, place: Word, name: str) -> _Signature | None:
        if name in self.routines:
            parameters = self.routines[name].parameters
            needed = frozenset(one.name.text for one in parameters if one.default is None)
            return _Signature(tuple(one.name.text for one in parameters), needed)
        function = FUNCTIONS.get(name)
        if function is None:
            reason = not_emulated(name)
            self._fault(place, reason or f"there is no function or subworkflow {name!r}")
            return None
        needed = frozenset(one.name for one in function.parameters if not one.optional)
        refused = frozenset(one.name for one in function.parameters if one.refused)
        names = tuple(one.name for one in function.parameters)
        return _Signature(names, needed, refused, function.aliases)

    def _tree(self, tree: Tree, scope: _Scope) -> None:
        if isinstance(tree, Expression):
            self._node(tree, tree.node, scope)
        elif isinstance(tree, ListTree):
            for item in tree.items:
                self._tree(item, scope)
        elif isinstance(tree, MapTree):
            for key, item in tree.items:
                self._tree(key, scope)
                self._tree(item, scope)

    def _node(self, source: Expression, node: syntax.Node, scope: _Scope) -> None:
        if isinstance(node, syntax.Name) and node.name not in scope.visible:
            word = Word(node.name, *source.place(node.position))
            # The service's words (troubleshooting page).
            self._fault(word, f"symbol '{node.name}' is neither a variable nor a sub-workflow name")
        if isinstance(node, syntax.Call):
            self._called(Word(node.function, *source.place(node.position)), len(node.arguments))
        for below in _below(node):
            self._node(source, below, scope)

    def _called(self, word: Word, given: int) -> None:
        """A function in an expression, by position."""
        name = word.text
        function = FUNCTIONS.get(name)
        if function is not None and function.blocking and name not in self.routines:
            self._fault(word, f"{name} can only be used in a call step")
            return
        signature = self._signature(word, name)
        if signature is not None:
            self._by_position(word, signature, given)

    def _by_position(self, word: Word, signature: _Signature, given: int) -> None:
        if given > len(signature.names):
            told = f"{word.text} takes {len(signature.names)} arguments; got: {given}"
            self._fault(word, told)
        for missing in signature.names[given:]:
            if missing in signature.needed:
                self._fault(word, f"{word.text} needs the argument {missing!r}")
        for refused in signature.names[:given]:
            if refused in signature.refused:
                self._fault(word, f"{word.text}: the argument {refused!r} is not emulated")

    def _fault(self, at: Word, message: str) -> None:
        self.faults.append(
            Fault(f"{self._where} {self._step.text!r}: {message}", at.line, at.column)
        )


def _below(node: syntax.Node) -> tuple[syntax.Node, ...]:  # noqa: PLR0911  # one return per kind
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
                yield from _keys(item)
        case nodes.Call(arguments=arguments):
            yield from arguments if isinstance(arguments, tuple) else arguments.values()
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


def _keys(item: nodes.Assignment) -> Iterator[Tree]:
    """The expressions inside the brackets of an assignment's target."""
    target = item.target
    while isinstance(target, syntax.Attribute | syntax.Index):
        if isinstance(target, syntax.Index):
            yield Expression(target.key, item.root.line, item.root.column, inline=False)
        target = target.target


def _written(action: nodes.Action) -> Iterator[Word]:
    if isinstance(action, nodes.Assign):
        yield from (item.root for item in action.items)
    elif isinstance(action, nodes.Call) and action.result is not None:
        yield action.result


def _declared(body: tuple[nodes.Step, ...]) -> Iterator[Word]:
    for step in body:
        if step.action is not None:
            yield from _declared_by(step.action)


def _declared_by(action: nodes.Action) -> Iterator[Word]:
    yield from _written(action)
    match action:
        case nodes.Block(body=body):
            yield from _declared(body)
        case nodes.Try(body=inner) if inner is not None:
            yield from _declared_by(inner)
        case nodes.Switch(conditions=conditions):
            for one in conditions:
                if one.action is not None:
                    yield from _declared_by(one.action)
