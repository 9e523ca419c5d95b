"""Runs a checked program against its ports.

One execution is one coroutine; parallel branches are tasks below it, so cancelling it ends
everything that it started. It fails with `ExecutionFailed` and nothing else.
"""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, takewhile

from gpupipe.workflows import limits
from gpupipe.workflows.effects import Effects
from gpupipe.workflows.errors import Frame, WorkflowError, failure, raised
from gpupipe.workflows.evaluator import Tree, access, evaluate, evaluate_node
from gpupipe.workflows.parallel import Branch, Crew, Places, unhandled
from gpupipe.workflows.retries import Retries
from gpupipe.workflows.scope import Meter, Scope, put
from gpupipe.workflows.stdlib import FUNCTIONS
from gpupipe.workflows.stdlib.function import Runtime
from gpupipe.workflows.step_types import BRANCH, Part, kind_of
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.syntax import nodes as syntax
from gpupipe.workflows.values import (
    Value,
    copy,
    decoded,
    is_number,
    kind,
    text_in_limits,
    to_json,
    truth,
    type_error,
)
from gpupipe.workflows.watch import NO_ENTRY, NoWatch, Watch

_BOUNDS = 2
_NO_WATCH = NoWatch()


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at another step; `end`, `break` and `continue` are targets as well."""

    target: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The routine ends with a value."""

    value: Value


Arguments = Sequence[Value] | Mapping[str, Value]
"""Of a call, by position or by name."""
Flow = Jump | Returned | None
"""How a step ended; None goes on with the next one."""


class Interpreter:
    """One execution of a program, with somebody who may look on."""

    def __init__(
        self,
        program: nodes.Program,
        effects: Effects,
        environment: Mapping[str, str],
        watch: Watch = _NO_WATCH,
    ) -> None:
        self.program = program
        self.runtime = Runtime(effects, environment)
        self.meter = Meter()
        self.places = Places(limits.PARALLEL_AT_A_TIME)
        self.watch = watch
        self._steps = 0

    async def run(self, argument: Value) -> Value:
        """Run `main` with the execution's argument to its result; ExecutionFailed."""
        given = [decoded(argument)] if self.program.routines["main"].parameters else []
        try:
            result = await self.invoke("main", given, Depth(0, 0), NO_ENTRY)
            to_json(result)  # a result without JSON fails the execution (not documented: how)
        except WorkflowError as error:
            raise failure(error) from error
        except RecursionError as error:
            deep = raised("RecursionError", "the steps are nested too deeply")
            raise failure(deep) from error
        return result

    async def count(self) -> None:
        """Count a step, and let others run now and then."""
        self._steps += 1
        if self._steps > limits.STEPS:
            raise raised("ResourceLimitError", f"more than {limits.STEPS} steps were executed")
        if self._steps % limits.STEPS_BETWEEN_YIELDS == 0:
            await self.runtime.effects.clock.yield_()

    async def invoke(self, name: str, arguments: Arguments, depth: "Depth", entry: int) -> Value:
        """A routine by position or by name of its arguments; `entry` is the step that calls."""
        if depth.calls > limits.CALL_DEPTH:
            raise raised("RecursionError", f"calls are nested deeper than {limits.CALL_DEPTH}")
        routine = self.program.routines[name]
        scope = Scope(self.meter)
        activation = Activation(self, name, depth, scope, entry)
        try:
            await _bind(routine, arguments, activation)
            flow = await activation.body(routine.body)
        finally:
            scope.close()
        return flow.value if isinstance(flow, Returned) else None

    def parameters(self, name: str) -> list[str]:
        """The names of a routine's or a function's parameters, in order."""
        if name in self.program.routines:
            return [one.name.text for one in self.program.routines[name].parameters]
        return [one.name for one in FUNCTIONS[name].parameters]

    async def call(self, name: str, arguments: Arguments, depth: "Depth", entry: int) -> Value:
        """A routine or a function of the library."""
        if name in self.program.routines:
            below = Depth(depth.calls + 1, depth.parallel)
            return await self.invoke(name, arguments, below, entry)
        function = FUNCTIONS[name]
        named = _named(name, self.parameters(name), arguments)
        result = await function.body(self.runtime, function.bind(named))
        return text_in_limits(result) if isinstance(result, str) else result


@dataclass(frozen=True, slots=True)
class Depth:
    """How many calls and how many parallel steps are around something."""

    calls: int
    parallel: int


@dataclass(slots=True)
class Activation:
    """A running routine, seen from one scope: what its expressions see, how its steps run.

    `entry` and `step` are those of the step that runs.
    """

    interpreter: Interpreter
    routine: str
    depth: Depth
    scope: Scope
    entry: int
    step: str = ""

    def lookup(self, name: str) -> Value:
        """A variable's value."""
        return self.scope.lookup(name)

    async def call(self, function: str, arguments: list[Value]) -> Value:
        """A function or subworkflow; a subworkflow gets copies, a function changes nothing."""
        if function in self.interpreter.program.routines:
            arguments = [copy(one) for one in arguments]
        return await self.interpreter.call(function, arguments, self.depth, self.entry)

    async def value(self, tree: Tree) -> Value:
        """The value of a tree here."""
        return await evaluate(tree, self)

    def inside(self) -> "Activation":
        """The same routine with a scope of its own."""
        return replace(self, scope=self.scope.child())

    async def body(self, steps: tuple[nodes.Step, ...]) -> Flow:
        """Steps in order; a jump to one of them stays inside."""
        at: int | None = 0
        while at is not None and at < len(steps):
            flow = await self._step(steps[at])
            if flow is None:
                at += 1
                continue
            at = _place_of(flow, steps)
            if at is None:
                return flow
        return None

    async def own(
        self, steps: tuple[nodes.Step, ...], names: Mapping[str, Value], part: Part | None = None
    ) -> Flow:
        """Steps in a scope of their own, in which `names` have values; maybe an entry of its own."""
        activation = self.inside()
        try:
            for name, value in names.items():
                activation.scope.declare(name, value)
            if part is None:
                return await activation.body(steps)
            return await activation.entered(part, lambda: activation.body(steps))
        finally:
            activation.scope.close()

    async def _step(self, step: nodes.Step) -> Flow:
        name, before = step.name, (self.entry, self.step)
        try:
            await self.interpreter.count()
            self.step = name.text
            part = Part(kind_of(step.action, self.interpreter.program))
            return await self.entered(part, lambda: self.then(step.action, step.next))
        except WorkflowError as error:
            error.frames.append(Frame(name.text, self.routine, name.line, name.column))
            raise
        finally:
            self.entry, self.step = before

    async def entered(self, part: Part, work: Callable[[], Awaitable[Flow]]) -> Flow:
        """Do what is a part of the running step, with an entry of its own."""
        watch = self.interpreter.watch
        entry = watch.began(self.entry, self.routine, self.step, part.kind, part.number)
        self.entry = entry
        try:
            flow = await work()
        except RecursionError as deep:
            error = raised("RecursionError", "a value or the steps are nested too deeply")
            watch.ended(entry, error)
            raise error from deep
        except WorkflowError as error:
            watch.ended(entry, error)
            raise
        watch.ended(entry, None)
        return flow

    async def then(self, action: nodes.Action | None, target: nodes.Word | None) -> Flow:
        """Run what a step does, then go where it says."""
        flow = None if action is None else await self.act(action)
        return Jump(target.text) if flow is None and target is not None else flow

    async def act(self, action: nodes.Action) -> Flow:
        """Run what a step does."""
        return await _ACT[type(action)](self, action)

    async def assign(self, action: nodes.Assign) -> Flow:
        """`assign`: in order, so that a later item sees an earlier one."""
        for item in action.items:
            await self._put(item.target, await self.value(item.value))
        return None

    async def _put(self, target: syntax.Node, value: Value) -> None:
        if isinstance(target, syntax.Name):
            self.scope.assign(target.name, value)
            return
        path: list[Value] = []
        while isinstance(target, syntax.Attribute | syntax.Index):
            if isinstance(target, syntax.Attribute):
                path.insert(0, target.name)
            else:
                path.insert(0, await evaluate_node(target.key, self))
            target = target.target
        if not isinstance(target, syntax.Name):
            raise type_error("only variables, their keys and their indexes can be assigned to")
        # Changed in a copy: a variable that would grow too large keeps its old value.
        root = copy(self.lookup(target.name))
        container = root
        for key in path[:-1]:
            container = access(container, key)
        put(container, path[-1], value)
        self.scope.assign(target.name, root)

    async def call_step(self, action: nodes.Call) -> Flow:
        """`call`, with its result where one is wanted."""
        name, watch = action.function.text, self.interpreter.watch
        arguments = await self._arguments(action)
        call = watch.calling(self.step, name, arguments)
        try:
            result = await self.interpreter.call(name, arguments, self.depth, self.entry)
        except WorkflowError as error:
            watch.called(call, None, error)
            raise
        watch.called(call, result, None)
        if action.result is not None:
            self.scope.assign(action.result.text, result)
        return None

    async def _arguments(self, action: nodes.Call) -> Mapping[str, Value]:
        if isinstance(action.arguments, Mapping):
            return {word.text: await self.value(tree) for word, tree in action.arguments.items()}
        name, values = action.function.text, [await self.value(tree) for tree in action.arguments]
        return _named(name, self.interpreter.parameters(name), values)

    async def switch(self, action: nodes.Switch) -> Flow:
        """`switch`: the first condition that is true."""
        for one in action.conditions:
            if truth(await self.value(one.condition), "The condition of a switch"):
                return await self.then(one.action, one.next)
        return None

    async def loop(self, action: nodes.For) -> Flow:
        """`for`, one iteration after the other."""
        for at, names in enumerate(await self.iterations(action)):
            flow = await self.own(action.body, names, Part("STEP_FOR_ITERATION", at))
            if flow == Jump("break"):
                return None
            if flow is not None and flow != Jump("continue"):
                return flow
        return None

    async def iterations(self, action: nodes.For) -> Iterator[dict[str, Value]]:
        """The variables of each iteration."""
        name = action.value.text
        if action.bounds is not None:
            return ({name: one} for one in _range(await self.value(action.bounds)))
        assert action.items is not None  # noqa: S101  # the loader made sure
        items = await self.value(action.items)
        if not isinstance(items, list):
            raise type_error(f"'in' of a for loop must be a list; got: {kind(items)}")
        if action.index is None:
            return ({name: item} for item in items)
        index = action.index.text
        return ({name: item, index: at} for at, item in enumerate(items))

    async def attempt(self, action: nodes.Try) -> Flow:
        """`try` with its retries and its handler."""
        clock = self.interpreter.runtime.effects.clock
        retries = None if action.retry is None else await Retries.of(action.retry, self, clock)
        while True:
            try:
                return await self.then(action.body, action.next)
            except WorkflowError as error:
                if not error.can_be_caught:
                    raise
                if retries is not None and await retries.again(error.value):
                    continue
                if action.handler is None:
                    raise
                word = action.error_name
                names = {} if word is None else {word.text: copy(error.value)}
            return await self.own(action.handler, names)

    async def parallel(self, action: nodes.Parallel) -> Flow:
        """`parallel`: all branches run to their end, whatever happens in the others."""
        if self.depth.parallel >= limits.PARALLEL_DEPTH:
            raise raised(
                "ParallelNestingError",
                f"parallel steps are nested deeper than {limits.PARALLEL_DEPTH}",
            )
        width = await self._width(action.concurrency_limit)
        crew = Crew(self.interpreter.places, width)
        async with crew.place_given_back(inside=self.depth.parallel > 0):
            await crew.work(await self._branches(action))
        if crew.failed:
            raise unhandled(crew)
        return None

    async def _branches(self, action: nodes.Parallel) -> Iterator[Branch]:
        below = Depth(self.depth.calls, self.depth.parallel + 1)
        inside = replace(self, depth=below)
        loop = action.loop
        if loop is None:
            return (
                (name, partial(inside.own, body, {}, Part(BRANCH, at)))
                for at, (name, body) in enumerate(action.branches)
            )
        rounds = enumerate(await self.iterations(loop))
        return (
            (str(at), partial(inside.own, loop.body, names, Part(BRANCH, at)))
            for at, names in rounds
        )

    async def _width(self, limit: Tree | None) -> int:
        wanted = limits.PARALLEL_AT_A_TIME if limit is None else await self.value(limit)
        if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
            raise raised("ValueError", "concurrency_limit must be a positive integer")
        return min(wanted, limits.PARALLEL_AT_A_TIME)

    async def raise_(self, action: nodes.Raise) -> Flow:
        """`raise`: any value."""
        raise WorkflowError(await self.value(action.value))

    async def return_(self, action: nodes.Return) -> Flow:
        """`return`."""
        return Returned(await self.value(action.value))

    async def block(self, action: nodes.Block) -> Flow:
        """`steps`."""
        return await self.body(action.body)


_ACT: Mapping[type, Callable[..., Awaitable[Flow]]] = {
    nodes.Assign: Activation.assign,
    nodes.Call: Activation.call_step,
    nodes.Switch: Activation.switch,
    nodes.For: Activation.loop,
    nodes.Parallel: Activation.parallel,
    nodes.Try: Activation.attempt,
    nodes.Raise: Activation.raise_,
    nodes.Return: Activation.return_,
    nodes.Block: Activation.block,
}


def _place_of(flow: Flow, steps: tuple[nodes.Step, ...]) -> int | None:
    """Which of the steps a jump goes to; None when it goes further out."""
    if not isinstance(flow, Jump):
        return None
    return next((at for at, step in enumerate(steps) if step.name.text == flow.target), None)


async def _bind(
    routine: nodes.Routine,
    arguments: Arguments,
    activation: Activation,
) -> None:
    name = routine.name.text
    given = _named(name, activation.interpreter.parameters(name), arguments)
    for one in routine.parameters:
        word = one.name.text
        if word in given:
            activation.scope.declare(word, given[word])
        elif one.default is not None:
            activation.scope.declare(word, await activation.value(one.default))
        else:
            raise type_error(f"{name} needs the argument {word!r}")


def _named(function: str, names: list[str], arguments: Arguments) -> Mapping[str, Value]:
    if isinstance(arguments, Mapping):
        return arguments
    if len(arguments) > len(names):
        raise type_error(f"{function} takes {len(names)} arguments; got: {len(arguments)}")
    return dict(zip(names, arguments, strict=False))


def _range(bounds: Value) -> Iterator[Value]:
    """`[first, last]`, both included, one by one."""
    if not (isinstance(bounds, list) and len(bounds) == _BOUNDS and all(map(is_number, bounds))):
        raise type_error("range must be a list of two numbers")
    first, last = bounds
    if not (math.isfinite(first) and math.isfinite(last)):
        raise raised("ValueError", "range must be a list of two finite numbers")
    # One by one: a loop over a huge range may end with its third iteration.
    return takewhile(lambda value: value <= last, (first + at for at in count()))
