"""The retries of a try step: how often, when, and after which errors."""

from dataclasses import dataclass
from typing import Protocol

from gpupipe.workflows import limits
from gpupipe.workflows.effects import Clock
from gpupipe.workflows.errors import raised
from gpupipe.workflows.evaluator import Tree
from gpupipe.workflows.steps import nodes
from gpupipe.workflows.values import Value, copy, is_number, kind, truth, type_error


class Place(Protocol):
    """Where the try step runs: what evaluates its policy and calls its predicate."""

    async def value(self, tree: Tree) -> Value:
        """The value of a tree."""

    async def call(self, function: str, arguments: list[Value]) -> Value:
        """A function or subworkflow."""


@dataclass(slots=True)
class Retries:
    """What is left of a retry policy."""

    place: Place
    clock: Clock
    predicate: str
    left: int
    delay: float
    most: float
    factor: float

    @classmethod
    async def of(cls, policy: nodes.RetryPolicy, place: Place, clock: Clock) -> "Retries":
        """From a policy, whose values are computed once; TypeError or ValueError of the language."""
        values = [
            await place.value(tree)
            for tree in (
                policy.max_retries,
                policy.initial_delay,
                policy.max_delay,
                policy.multiplier,
            )
        ]
        for value in values:
            if not is_number(value):
                raise type_error(f"a retry policy needs numbers; got: {kind(value)}")
            if not value >= 0:
                raise raised("ValueError", f"a retry policy needs numbers from 0 on; got: {value}")
        return cls(place, clock, policy.predicate.text, *values)

    async def again(self, error: Value) -> bool:
        """Whether to try once more; waits before it says yes."""
        if self.left < 1:
            return False
        answer = await self.place.call(self.predicate, [copy(error)])
        if not truth(answer, "The answer of a retry predicate"):
            return False
        pause = min(self.delay, self.most, limits.EXECUTION_S)
        await self.clock.sleep(pause)
        self.left -= 1
        self.delay = min(self.delay * self.factor, self.most)
        return True
