"""No source and no argument make the language raise anything but its own errors."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.workflows.world import World, answer

from gpupipe.workflows.errors import ExecutionFailed, ExpressionError, Fault, SourceError
from gpupipe.workflows.program import load
from gpupipe.workflows.stdlib import FUNCTIONS
from gpupipe.workflows.syntax.parser import parse

_FUZZ = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
_SURROGATES = st.text(st.characters(), max_size=8)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, -1, 1e308, -0.0, 2**63 - 1, 1e15]),
    st.floats(allow_nan=False, allow_infinity=False),
    _SURROGATES,
    st.sampled_from(
        ["", "a", "\ud800", "(a+)+$", "http://[", "1970-01-01T00:00:00Z", "UTF-8", "%zz"]
    ),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SURROGATES, inner, max_size=3),
    max_leaves=6,
)
_WORDS = st.sampled_from(
    ["args", "args.a", "args[0]", "1", "-1", "0", "1.5", '"a"', "'b'", "true", "null", "[1, args]",
     "9223372036854775807", "1e308", "text.encode(\"x\")", "sys.now()", "(", ")", "[", "]", ".", ","]
)  # fmt: skip
_OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "==", "!=", "<", ">=", "in", "and", "or", "not", " "]
)
_EXPRESSIONS = st.lists(st.one_of(_WORDS, _OPERATORS), max_size=9).map(" ".join)
_KEYS = st.sampled_from(
    ["assign", "call", "args", "result", "switch", "condition", "for", "value", "index", "in", "range",
     "parallel", "branches", "shared", "concurrency_limit", "try", "retry", "predicate", "backoff",
     "max_retries", "except", "as", "raise", "return", "next", "steps", "params", "main", "a", "b"]
)  # fmt: skip
_LEAVES = st.one_of(
    _SCALARS,
    st.sampled_from(
        ["a", "b", "end", "sys.log", "http.get", "${a}", "${args + 1}", "${http.default_retry}"]
    ),
    _EXPRESSIONS.map(lambda text: "${" + text + "}"),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=25,
)
_ACTIONS = st.dictionaries(_KEYS, _TREES, min_size=1, max_size=3)
_BODIES = st.lists(
    st.tuples(st.sampled_from("abc"), _ACTIONS).map(lambda pair: {pair[0]: pair[1]}),
    min_size=1,
    max_size=3,
)


def run(source: str, argument: Any) -> None:
    world = World(lambda _: answer(200, [1]))
    with suppress(SourceError, ExecutionFailed):
        world.run(source, argument)


def returning(expression: str) -> str:
    return json.dumps(
        {"main": {"params": ["args"], "steps": [{"s": {"return": f"${{{expression}}}"}}]}}
    )


@_FUZZ
@given(st.text(max_size=60) | _EXPRESSIONS)
def test_the_parser_of_expressions(text: str) -> None:
    position = 0
    try:
        parse(text)
    except ExpressionError as error:
        position = error.position
    assert 0 <= position <= len(text)


@_FUZZ
@given(st.text(st.characters(), max_size=80) | st.text("-:{}[]&*!|>'\"#%@,? \n\ta1$", max_size=40))
def test_any_text_as_a_source(text: str) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        load(text)
    except SourceError as error:
        faults = error.faults
    assert all(fault.line > 0 and fault.column > 0 for fault in faults)


@_FUZZ
@given(_BODIES, _VALUES)
def test_sources_that_are_nearly_workflows(body: list[Any], argument: Any) -> None:
    run(json.dumps({"main": {"params": ["args"], "steps": body}}), argument)


@_FUZZ
@given(_EXPRESSIONS, _VALUES)
def test_expressions_on_any_argument(expression: str, argument: Any) -> None:
    run(returning(expression), argument)


@settings(_FUZZ, max_examples=300)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(_VALUES, max_size=6))
def test_library_functions_on_any_values(name: str, values: list[Any]) -> None:
    function = FUNCTIONS[name]
    names = [one.name for one in function.parameters if not one.refused][: len(values)]
    needed = [one.name for one in function.parameters if not one.optional]
    given_ = [*dict.fromkeys([*needed, *names])]
    argument = {key: values[at % len(values)] if values else None for at, key in enumerate(given_)}
    call = {"call": name, "args": {key: f"${{args.{key}}}" for key in given_}, "result": "r"}
    steps = [{"c": call}, {"r": {"return": "${get_type(r)}"}}]
    run(json.dumps({"main": {"params": ["args"], "steps": steps}}), argument)
