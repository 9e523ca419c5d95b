"""One frozen class per kind of step."""

from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe.workflows.evaluator import Tree
from gpupipe.workflows.syntax.nodes import Node


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target: value`; the target is a name with attributes and indexes."""

    target: Node
    value: Tree


@dataclass(frozen=True, slots=True)
class Assign:
    """Assignments, in order."""

    items: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function or subworkflow with named arguments."""

    function: str
    arguments: Mapping[str, Tree]
    result: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a switch: its condition, what is done, and where it goes on."""

    condition: Tree
    action: "Action | None"
    next: str | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The first condition that is true wins."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class For:
    """A loop over a list (`items`) or an inclusive range (`bounds`)."""

    value: str
    index: str | None
    items: Tree | None
    bounds: Tree | None
    body: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches, or the iterations of a loop, at the same time."""

    branches: tuple[tuple[str, tuple["Step", ...]], ...]
    loop: For | None
    shared: frozenset[str]
    concurrency_limit: Tree | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a try block runs again. `predicate` names a function or subworkflow."""

    predicate: str
    max_retries: Tree
    initial_delay: Tree
    max_delay: Tree
    multiplier: Tree


@dataclass(frozen=True, slots=True)
class Try:
    """A block, how it is retried, and what handles its error."""

    body: tuple["Step", ...]
    retry: RetryPolicy | None
    error_name: str | None
    handler: tuple["Step", ...] | None


@dataclass(frozen=True, slots=True)
class Raise:
    """Raises a value."""

    value: Tree


@dataclass(frozen=True, slots=True)
class Return:
    """Ends the routine with a value."""

    value: Tree


@dataclass(frozen=True, slots=True)
class Block:
    """Nested steps."""

    body: tuple["Step", ...]


Action = Assign | Call | Switch | For | Parallel | Try | Raise | Return | Block


@dataclass(frozen=True, slots=True)
class Step:
    """A named step at a place (line and column from 1). Without an action it only jumps."""

    name: str
    action: Action | None
    next: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a routine, with a default where `has_default`."""

    name: str
    has_default: bool
    default: Tree | None


@dataclass(frozen=True, slots=True)
class Routine:
    """`main` or a subworkflow."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A checked workflow: its routines by name, `main` among them."""

    routines: Mapping[str, Routine]
