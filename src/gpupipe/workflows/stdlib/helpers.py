"""Expression helpers: double, int, string, keys, len, default, if, get_type."""

import re

from gpupipe.workflows.errors import raised
from gpupipe.workflows.operators import text_of
from gpupipe.workflows.stdlib.function import Function, need, pure
from gpupipe.workflows.values import Value, integer, is_number, kind, truth, type_error

_INTEGER = re.compile(r"[-+]?[0-9]+")
_DOUBLE = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def _double(x: Value) -> float:
    if not (isinstance(x, str) or is_number(x)):
        raise type_error(f"double() takes a string or a number; got: {kind(x)}")
    if isinstance(x, str) and not _DOUBLE.fullmatch(x):
        raise raised("ValueError", f"{x!r} is no double")
    return float(x)


def _int(x: Value) -> int:
    if not (isinstance(x, str) or is_number(x)):
        raise type_error(f"int() takes a string or a number; got: {kind(x)}")
    if isinstance(x, str) and not _INTEGER.fullmatch(x):
        raise raised("ValueError", f"{x[:100]!r} is no integer")
    try:
        return integer(int(x))
    except (ValueError, OverflowError) as error:
        raise raised("ValueError", f"{x} is no integer") from error


def _string(x: Value) -> str:
    if isinstance(x, str | bool) or is_number(x):
        return text_of(x)
    word = {"map": "dict"}.get(kind(x), kind(x))
    # The service's own words, quoted in a public log.
    raise type_error(
        f"unsupported operand type for string(): '{word}' (expecting number, string, or boolean)"
    )


def _len(x: Value) -> int:
    if isinstance(x, str | list | dict):
        return len(x)
    raise type_error(f"len() takes a string, list or map; got: {kind(x)}")


def _if(condition: Value, yes: Value, no: Value) -> Value:
    return yes if condition is not None and truth(condition, "The condition of if()") else no


FUNCTIONS: tuple[Function, ...] = (
    pure("double", _double, need("x")),
    pure("int", _int, need("x")),
    pure("string", _string, need("x")),
    pure("keys", list, need("map", "map")),
    pure("len", _len, need("value")),
    pure("default", lambda value, other: other if value is None else value,
         need("value"), need("default")),
    pure("if", _if, need("condition"), need("if_true"), need("if_false")),
    pure("get_type", kind, need("value")),
)  # fmt: skip
