"""Values of the language: kinds, equality, copies, sizes and JSON."""

import json
from typing import Any

from gpupipe.workflows.errors import WorkflowError, raised
from gpupipe.workflows.limits import STRING_BYTES

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


MOST_INTEGER = 2**63 - 1
LEAST_INTEGER = -(2**63)
_SURELY_IN_LIMITS = STRING_BYTES // 4  # characters: one has four bytes at most
_CONTAINERS = (list, dict)
_MOST_DIGITS = 20  # of a 64-bit integer, with its sign


def integer(value: int) -> int:
    """An integer that fits in 64 bits. What happens to others is not documented: here ValueError."""
    if LEAST_INTEGER <= value <= MOST_INTEGER:
        return value
    raise raised("ValueError", "the integer does not fit in 64 bits")


def well_formed(text: str) -> str:
    """Text that can be written as UTF-8: halves of surrogate pairs are joined, or replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_in_limits(text: str) -> str:
    """A text that a variable may hold; ResourceLimitError for one that is too large."""
    if len(text) > _SURELY_IN_LIMITS and len(text.encode()) > STRING_BYTES:
        raise raised("ResourceLimitError", f"a string is larger than {STRING_BYTES} bytes")
    return text


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
        return [copy(item) if isinstance(item, _CONTAINERS) else item for item in value]
    if isinstance(value, dict):
        return {
            key: copy(item) if isinstance(item, _CONTAINERS) else item
            for key, item in value.items()
        }
    return value


def size(value: Value) -> int:
    """Bytes that count against the limit of variables: 8 a scalar, 8 and content for the rest.

    ResourceLimitError for a string that is too large by itself.
    """
    if isinstance(value, str):
        return 8 + (len(text) if (text := text_in_limits(value)).isascii() else len(text.encode()))
    if isinstance(value, bytes):
        return 8 + len(value)
    if isinstance(value, list):
        return 8 + sum(map(size, value))
    if isinstance(value, dict):
        return 8 + sum(size(key) + size(item) for key, item in value.items())
    return 8


def to_json(value: Value, *, indent: str | None = None) -> str:
    """JSON text, compact unless `indent`; bytes and doubles without a number are a ValueError."""
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=separators, indent=indent, allow_nan=False
        )
    except TypeError as error:
        raise raised("ValueError", "bytes cannot be written as JSON") from error
    except ValueError as error:
        raise raised("ValueError", "NaN and infinity cannot be written as JSON") from error
    except RecursionError as error:
        raise raised("ValueError", "the value is nested too deeply for JSON") from error


def from_json(text: str | bytes) -> Value:
    """The value of a JSON text; numbers with point or exponent are doubles."""
    try:
        return decoded(json.loads(text, parse_constant=_no_number, parse_int=_whole))
    except (ValueError, RecursionError) as error:
        raise raised("ValueError", f"the text is not valid JSON: {error}") from error


def decoded(value: Value) -> Value:
    """What a JSON reader made, with all of its text well formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): decoded(item) for key, item in value.items()}
    return value


def _no_number(word: str) -> Value:
    raise ValueError(f"{word} is no JSON")


def _whole(digits: str) -> int | float:
    """An integer, or a double where 64 bits are not enough (not documented)."""
    if len(digits) <= _MOST_DIGITS and LEAST_INTEGER <= int(digits) <= MOST_INTEGER:
        return int(digits)
    return float(digits)
