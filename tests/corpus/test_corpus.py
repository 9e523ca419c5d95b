"""Every case of `cases/*.yaml`: a source or an expression, what it gives, and what the world saw.

A case has a `name` (or is told by its `expr`) and one of
  expr: an expression, returned by `main` with the parameter `args`
  steps: the steps of such a `main`
  source: a whole source as text
with `argument`, `env`, `answers` (of HTTP, in order; `fails` is a kind of failure), and what is expected:
  value: the result, as JSON, so that 1 is not 1.0
  error: `tags`, `code`, part of the `message`, or the whole `payload`; `context`: its lines
  refused: a list of [line, column, part of the message] or of parts of messages; all faults, in order
  sees: `slept`, `logged`, `requests` (method, URL, query, headers among others, body), `steps`
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.workflows.world import World

from gpupipe.workflows import effects
from gpupipe.workflows.effects import HttpRequest, HttpResponse
from gpupipe.workflows.errors import ExecutionFailed, SourceError

_CASES = Path(__file__).parent / "cases"


def all_cases() -> Iterator[Any]:
    """Every case, with its name."""
    for file in sorted(_CASES.glob("*.yaml")):
        for at, case in enumerate(yaml.safe_load(file.read_text("utf-8"))):
            name = case.get("name") or case.get("expr") or str(at)
            yield pytest.param(case, id=f"{file.stem}: {name}")


def source_of(case: dict[str, Any]) -> str:
    """The whole source of a case."""
    if "source" in case:
        return str(case["source"])
    steps = case.get("steps") or [{"it": {"return": "${" + case["expr"] + "}"}}]
    return json.dumps({"main": {"params": ["args"], "steps": steps}, **case.get("routines", {})})


def _world(case: dict[str, Any]) -> World:
    left = list(case.get("answers", ()))

    def respond(_: HttpRequest) -> HttpResponse:
        one = left.pop(0) if len(left) > 1 else left[0]
        if "fails" in one:
            raise getattr(effects, one["fails"])("as the case says")
        headers = one.get("headers", {"Content-Type": "application/json"})
        body = bytes.fromhex(one["hex"]) if "hex" in one else _body(one, headers)
        return HttpResponse(one.get("status", 200), headers, body)

    return World(respond)


def _body(one: dict[str, Any], headers: dict[str, str]) -> bytes:
    body = one.get("body", {})
    as_is = isinstance(body, str) and "json" not in headers.get("content-type", "")
    return (body if as_is and one.get("raw") else json.dumps(body)).encode()


@pytest.mark.parametrize("case", list(all_cases()))
def test_case(case: dict[str, Any]) -> None:
    world = _world(case)
    result, error, refused = None, None, None
    try:
        result = world.run(source_of(case), case.get("argument"), case.get("env"))
    except ExecutionFailed as failed:
        error = failed
    except SourceError as faults:
        refused = faults
    if "value" in case:
        assert error is None, error.context
        assert refused is None, str(refused)
        assert _written(result) == _written(case["value"])
    elif "refused" in case:
        assert refused is not None, "it was not refused"
        _compare_faults(refused, case["refused"])
    else:
        assert error is not None, f"no error but {result!r}, refused: {refused}"
        _compare_error(error, case["error"])
    _compare_world(world, case.get("sees", {}))


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _compare_faults(refused: SourceError, expected: list[Any]) -> None:
    assert len(refused.faults) == len(expected), str(refused)
    for fault, one in zip(refused.faults, expected, strict=True):
        line, column, part = one if isinstance(one, list) else (fault.line, fault.column, one)
        assert part in fault.message
        assert (fault.line, fault.column) == (line, column), fault.message


def _compare_error(error: ExecutionFailed, expected: dict[str, Any]) -> None:
    compare_payload(json.loads(error.payload), expected)
    if "context" in expected:
        assert error.context.splitlines() == expected["context"]


def compare_payload(payload: Any, expected: dict[str, Any]) -> None:
    """An error's payload with what a case says of it."""
    if "payload" in expected:
        assert _written(payload) == _written(expected["payload"])
    for key in ("tags", "code", "headers", "body"):
        if key in expected:
            assert payload[key] == expected[key]
    assert expected.get("message", "") in (payload["message"] if "message" in expected else "")


def _compare_world(world: World, expected: dict[str, Any]) -> None:
    if "slept" in expected:
        assert world.slept == expected["slept"]
    if "logged" in expected:
        assert [list(one) for one in world.logged] == expected["logged"]
    if "steps" in expected:
        assert [step for _, step in world.steps] == expected["steps"]
    if "requests" in expected:
        assert len(world.requests) == len(expected["requests"])
        for sent, one in zip(world.requests, expected["requests"], strict=True):
            _compare_request(sent, one)


def _compare_request(sent: HttpRequest, expected: dict[str, Any]) -> None:
    auth = sent.auth and {
        "type": sent.auth.type,
        "audience": sent.auth.audience,
        "scopes": list(sent.auth.scopes),
    }
    seen = {
        "method": sent.method,
        "url": sent.url,
        "query": [list(pair) for pair in sent.query],
        "headers": {name: sent.headers.get(name) for name in expected.get("headers", {})},
        "body": None if sent.body is None else sent.body.decode(),
        "timeout": sent.timeout,
        "auth": auth,
    }
    assert {name: seen[name] for name in expected} == expected
