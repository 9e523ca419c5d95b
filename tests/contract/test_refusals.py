"""The local cloud against the refusal rows: each request, by an official client, is refused as told.

A row's base is sent too, as it is: so a row is refused for its change and for nothing else.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from google.api_core import exceptions
from tests.support.givens import GIVENS
from tests.support.localcloud import RunningCloud
from tests.support.refusals import Request, Row, bases, filled, rows
from tests.support.world import World

TIMEOUT_S = 30
_numbers = count(1)


@pytest.fixture
def world(module_cloud: RunningCloud) -> Iterator[World]:
    yield World(module_cloud, f"row-{next(_numbers):04d}")
    module_cloud.kernel.behaviour.propagation_s = 0


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_the_request_is_refused(world: World, row: Row) -> None:
    call = prepared(world, row.request)
    token = world.account("caller", *row.roles) if row.roles else None
    if row.request.is_http:
        refused_over_http(row, call(token), world)
        return
    if row.where == "operation":
        operation = call(token)
        with pytest.raises(exceptions.GoogleAPICallError) as caught:
            operation.result(timeout=TIMEOUT_S)
    else:
        with pytest.raises(exceptions.GoogleAPICallError) as caught:
            call(token)
    error = caught.value
    assert error.grpc_status_code is not None
    assert error.grpc_status_code.name == row.code, error.message
    if row.reason:
        assert error.reason == row.reason
    if row.field:
        assert row.field in fields_of(error), error.message
    assert filled(row.text, world.names) in error.message


@pytest.mark.parametrize("name", bases())
def test_the_base_is_accepted(world: World, name: str) -> None:
    request = bases()[name]
    answer = prepared(world, request)(None)
    if request.is_http:
        assert answer.status_code < 300, answer.text
    elif callable(getattr(answer, "result", None)):
        answer.result(timeout=TIMEOUT_S)


def test_no_row_is_there_twice() -> None:
    ids = [row.id for row in rows()]
    assert sorted(set(ids)) == sorted(ids)


def prepared(world: World, request: Request) -> Callable[[str | None], Any]:
    """The row's call, once everything that it needs is there."""
    for name in request.given:
        GIVENS[name](world)
    body = filled(request.body, world.names)
    if request.is_http:
        verb, path = filled(request.call, world.names).split(" ", 1)
        return lambda token: world.http(verb, path, body, token)
    api, _, method = request.call.partition(".")
    return lambda token: getattr(world.client(api, token), method)(
        request=body, retry=None, timeout=TIMEOUT_S
    )


def refused_over_http(row: Row, answer: Any, world: World) -> None:
    assert answer.status_code == row.status, answer.text
    error = answer.json()["error"]
    if row.reason:
        assert error["errors"][0]["reason"] == row.reason
    assert filled(row.text, world.names) in error["message"]


def fields_of(error: exceptions.GoogleAPICallError) -> list[str]:
    """The paths of BadRequest."""
    return [
        violation.field
        for detail in error.details
        for violation in getattr(detail, "field_violations", ())
    ]
