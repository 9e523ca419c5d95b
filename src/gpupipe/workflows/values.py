"""Values of the language: kinds, equality, copies, sizes and JSON."""

import json
from typing import Any

from gpupipe.workflows.errors import WorkflowError, raised

Value = Any
"""None, bool, int, float, str, bytes, list of values, or dict from str to value."""

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
)


def kind(value: Value) -> str:
    """The name that `get_type` gives."""
    if value is None:
        return "null"
    return next((name for one, name in _KINDS if isinstance(value, one)), "function")


def is_number(value: Value) -> bool:
    """Integer or double; a boolean is no number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Value, right: Value) -> bool:
    """`==`: integers and doubles by value, containers by content, nothing else across kinds."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def truth(value: Value, where: str) -> bool:
    """A condition's value; anything but a boolean is a TypeError."""
    if isinstance(value, bool):
        return value
    raise type_error(f"{where} must be a boolean; got: {kind(value)}")


def type_error(message: str) -> WorkflowError:
    """A TypeError of the language."""
    return raised("TypeError", message)


def copy(value: Value) -> Value:
    """Values are copied on assignment and when passed."""
    if isinstance(value, list):
        return [copy(item) for item in value]
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return value


def size(value: Value) -> int:
    """Bytes that count against the limit of variables: 8 a scalar, 8 and content for the rest."""
    if isinstance(value, str):
        return 8 + len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return 8 + len(value)
    if isinstance(value, list):
        return 8 + sum(size(item) for item in value)
    if isinstance(value, dict):
        return 8 + sum(size(key) + size(item) for key, item in value.items())
    return 8


def to_json(value: Value, *, indent: int | None = None) -> str:
    """JSON text, compact unless `indent`; bytes anywhere are a ValueError."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=separators, indent=indent, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise raised("ValueError", f"the value cannot be written as JSON: {error}") from error


def from_json(text: str | bytes) -> Value:
    """The value of a JSON text; numbers with point or exponent are doubles."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise raised("ValueError", f"the text is not valid JSON: {error}") from error
