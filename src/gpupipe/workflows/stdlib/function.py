"""What a library function is: its parameters beside its body, checked when a workflow is loaded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gpupipe.workflows.effects import Effects
from gpupipe.workflows.values import Value, kind, type_error


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a body may use: the ports and the environment variables of the execution."""

    effects: Effects
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. kinds: the kinds it takes, empty = any; optional ones have a default.

    `refused`: Workflows has it, and it is not emulated; the checker says so.
    """

    name: str
    kinds: tuple[str, ...] = ()
    optional: bool = False
    default: Value = None
    refused: bool = False


Body = Callable[[Runtime, Mapping[str, Value]], Awaitable[Value]]


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `blocking` ones may only be used in a call step, not in an expression."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    blocking: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of parameters: sources of the documentation disagree on some."""
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(one.name for one in self.parameters))

    def bind(self, arguments: Mapping[str, Value]) -> dict[str, Value]:
        """The arguments with defaults filled in; TypeError of the language."""
        arguments = {self.aliases.get(name, name): value for name, value in arguments.items()}
        unknown = sorted(set(arguments) - self.names)
        if unknown:
            raise type_error(f"{self.name} has no argument {unknown[0]!r}")
        bound: dict[str, Value] = {}
        for one in self.parameters:
            if one.name in arguments:
                bound[one.name] = self._checked(one, arguments[one.name])
            elif one.optional:
                bound[one.name] = one.default
            else:
                raise type_error(f"{self.name} needs the argument {one.name!r}")
        return bound

    def _checked(self, one: Parameter, value: Value) -> Value:
        if one.kinds and kind(value) not in one.kinds and not (one.optional and value is None):
            wanted = " or ".join(one.kinds)
            raise type_error(f"{self.name}: {one.name!r} must be {wanted}; got: {kind(value)}")
        return value


NUMBER = ("integer", "double")


def pure(name: str, body: Callable[..., Value], *parameters: Parameter) -> Function:
    """A function without effects, from a Python function that takes the arguments by position."""

    async def run(_: Runtime, arguments: Mapping[str, Value]) -> Value:
        return body(*(arguments[one.name] for one in parameters))

    return Function(name, parameters, run)


def need(name: str, *kinds: str) -> Parameter:
    """A required parameter."""
    return Parameter(name, kinds)


def may(name: str, default: Value, *kinds: str) -> Parameter:
    """An optional parameter."""
    return Parameter(name, kinds, optional=True, default=default)
