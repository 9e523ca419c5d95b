"""Variables of a running workflow: nested scopes, and the meter of what they hold together."""

from dataclasses import dataclass, field

from gpupipe.workflows import limits
from gpupipe.workflows.errors import raised
from gpupipe.workflows.values import Value, size


@dataclass(slots=True)
class Meter:
    """Bytes that all variables of one execution hold; more than the limit ends the execution."""

    used: int = 0

    def add(self, size_in_bytes: int) -> None:
        """Count bytes, or take them off when negative; ResourceLimitError."""
        self.used += size_in_bytes
        if size_in_bytes > 0 and self.used > limits.VARIABLES_BYTES:
            # The service's words, quoted in a public log.
            raise raised("ResourceLimitError", "Memory usage limit exceeded")


@dataclass(slots=True)
class Scope:
    """Variables of a routine, a loop's iteration, a handler or a branch."""

    meter: Meter
    parent: "Scope | None" = None
    values: dict[str, Value] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def child(self) -> "Scope":
        """A scope whose new variables end with it."""
        return Scope(self.meter, self)

    def lookup(self, name: str) -> Value:
        """The value of a variable; while it has none KeyError of the language (not documented)."""
        owner = self._owner(name)
        if owner is None:
            raise raised("KeyError", f"key not found: {name}")
        return owner.values[name]

    def declare(self, name: str, value: Value) -> None:
        """Set a variable of this very scope."""
        weight = size(value)
        self.meter.add(weight - self.sizes.get(name, 0))
        self.values[name] = value
        self.sizes[name] = weight

    def assign(self, name: str, value: Value) -> None:
        """Set the variable where it lives, else here."""
        (self._owner(name) or self).declare(name, value)

    def close(self) -> None:
        """Forget this scope's variables."""
        self.meter.add(-sum(self.sizes.values()))
        self.values.clear()
        self.sizes.clear()

    def _owner(self, name: str) -> "Scope | None":
        scope: Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.parent
        return scope


def put(container: Value, key: Value, value: Value) -> None:
    """`container[key] = value`: KeyError, IndexError or TypeError of the language."""
    if isinstance(container, dict) and isinstance(key, str):
        container[key] = value
    elif isinstance(container, list) and isinstance(key, int) and not isinstance(key, bool):
        if not 0 <= key < len(container):
            raise raised("IndexError", f"index out of range: {key}")
        container[key] = value
    else:
        raise raised(
            "TypeError", "only a map by a string or a list by an integer can be assigned to"
        )
