"""What the operators do with values; every wrong kind is a TypeError of the language."""

import math
from collections.abc import Callable
from typing import Any

from gpupipe.workflows.errors import raised
from gpupipe.workflows.values import (
    Value,
    equal,
    integer,
    is_number,
    kind,
    text_in_limits,
    type_error,
)


def unary(operator: str, value: Value) -> Value:
    """`not x`, `-x`."""
    if operator == "not":
        if not isinstance(value, bool):
            raise type_error(f"unsupported operand type for not: {kind(value)}")
        return not value
    if not is_number(value):
        raise type_error(f"unsupported operand type for -: {kind(value)}")
    return integer(-value) if isinstance(value, int) else -value


def binary(operator: str, left: Value, right: Value) -> Value:
    """Every operator but `and` and `or`, which do not always need their right side."""
    if operator == "==":
        return equal(left, right)
    if operator == "!=":
        return not equal(left, right)
    if operator == "in":
        return _contains(left, right)
    if operator in _COMPARE:
        return _compare(operator, left, right)
    if operator == "+" and not (is_number(left) and is_number(right)):
        return _concatenate(left, right)
    return _calculate(operator, left, right)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
_CALCULATE: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    # The sign for negative operands is not documented; this is the remainder of floor division.
    "%": lambda a, b: a % b,
}


def _compare(operator: str, left: Value, right: Value) -> bool:
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return _COMPARE[operator](left, right)
    raise _unsupported(operator, left, right)


def _calculate(operator: str, left: Value, right: Value) -> Value:
    if not (is_number(left) and is_number(right)):
        raise _unsupported(operator, left, right)
    if operator in {"/", "//", "%"} and right == 0:
        raise raised("ZeroDivisionError", "division by zero")
    try:
        result = _CALCULATE[operator](left, right)
    except OverflowError as error:
        raise raised("ValueError", "the number is too large") from error
    return integer(result) if isinstance(result, int) else result


def _concatenate(left: Value, right: Value) -> str:
    if not (isinstance(left, str) or isinstance(right, str)):
        raise _unsupported("+", left, right)
    return text_in_limits(_text(left, right, left) + _text(left, right, right))


def _text(left: Value, right: Value, one: Value) -> str:
    if isinstance(one, str | bool) or is_number(one):
        return text_of(one)
    raise _unsupported("+", left, right)


def text_of(value: Value) -> str:
    """A string, number or boolean as text, as `string()` and `+` write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 1e16:  # noqa: PLR2004
        # How the service writes a whole double is not documented.
        return f"{value:.0f}"
    return str(value)


def _contains(left: Value, right: Value) -> bool:
    if isinstance(right, dict):
        return isinstance(left, str) and left in right
    if isinstance(right, list):
        return any(equal(left, item) for item in right)
    raise type_error(f"The argument of 'in' must be a dict or an array; got: {kind(right)}")


def _unsupported(operator: str, left: Value, right: Value) -> Exception:
    return type_error(f"unsupported operand types for {operator}: {kind(left)} and {kind(right)}")
