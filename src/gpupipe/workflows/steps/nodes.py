"""One frozen class per kind of step."""

from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe.workflows.evaluator import Tree
from gpupipe.workflows.syntax.nodes import Node


@dataclass(frozen=True, slots=True)
class Word:
    """A name at its line and column of the source, from 1."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target: value`; the target is a variable with attributes and indexes, `root` the variable."""

    root: Word
    target: Node
    value: Tree


@dataclass(frozen=True, slots=True)
class Assign:
    """Assignments, in order."""

    items: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function or subworkflow with arguments by name, or by position."""

    function: Word
    arguments: Mapping[Word, Tree] | tuple[Tree, ...]
    result: Word | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a switch: its condition, what is done, and where it goes on."""

    condition: Tree
    action: "Action | None"
    next: Word | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The first condition that is true wins."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class For:
    """A loop over a list (`items`) or an inclusive range (`bounds`)."""

    value: Word
    index: Word | None
    items: Tree | None
    bounds: Tree | None
    body: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches, or the iterations of a loop, at the same time."""

    branches: tuple[tuple[str, tuple["Step", ...]], ...]
    loop: For | None
    shared: tuple[Word, ...]
    concurrency_limit: Tree | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a try block runs again. `predicate` names a function or subworkflow."""

    predicate: Word
    max_retries: Tree
    initial_delay: Tree
    max_delay: Tree
    multiplier: Tree


@dataclass(frozen=True, slots=True)
class Try:
    """What is tried and where it goes on, how it is retried, and what handles its error."""

    body: "Action | None"
    next: Word | None
    retry: RetryPolicy | None
    error_name: Word | None
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
    """A named step. Without an action it only jumps."""

    name: Word
    action: Action | None
    next: Word | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a routine, optional where it has a default."""

    name: Word
    default: Tree | None


@dataclass(frozen=True, slots=True)
class Routine:
    """`main` or a subworkflow."""

    name: Word
    parameters: tuple[Parameter, ...]
    body: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A checked workflow: its routines by name, `main` among them."""

    routines: Mapping[str, Routine]
