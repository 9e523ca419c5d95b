"""Files are followed to an outcome each, or to the deadline."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from tests.support.clock import FakeClock

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import Outcome, Sent, follow


def sent(name: str) -> Sent:
    return Sent(name, Object("in", name, 7, 1, None), 0.5)


def execution(name: str, state: str) -> Execution:
    argument = {"input_file": name, "bucket": "in", "generation": "7"}
    return Execution(f"w/executions/id-of-{name}", state, None, None, argument, None, None, "")


class Bucket:
    """An output bucket with these objects: name -> (metadata, content)."""

    def __init__(self, objects: dict[str, tuple[dict[str, str], str]]) -> None:
        self._objects = objects

    def read(self, _: str, name: str) -> bytes | None:
        return self._objects[name][1].encode() if name in self._objects else None

    def stat(self, bucket: str, name: str) -> Object | None:
        found = self._objects.get(name)
        return None if found is None else Object(bucket, name, 1, 1, None, found[0])


def cloud(
    *executions: Execution, output: dict[str, tuple[dict[str, str], str]] | None = None
) -> Cloud:
    """A cloud whose workflow has these executions."""
    fake: Any = SimpleNamespace(
        executions=SimpleNamespace(since=lambda *_: iter(executions)),
        storage=Bucket(output or {}),
        caller=SimpleNamespace(hurry=1.0, on_wait=lambda _: None),
    )
    return cast("Cloud", fake)


def outcomes(where: Cloud, *files: Sent) -> dict[str, Outcome]:
    found = follow(where, "w", "out", files, clock=FakeClock(), timeout_s=5.0)
    return {one.sent.path: one for one in found}


def test_at_the_deadline_it_is_said_what_still_runs_and_what_has_not_begun() -> None:
    found = outcomes(cloud(execution("a", "ACTIVE"), execution("b", "FAILED")),
                     sent("a"), sent("b"), sent("c"))  # fmt: skip
    assert {name: one.state for name, one in found.items()} == {
        "a": "waiting", "b": "failed", "c": "waiting",
    }  # fmt: skip
    assert found["a"].execution == "id-of-a"
    assert found["a"].reason == "no result after 5 s: execution id-of-a still runs"
    assert found["c"].reason == "no result after 5 s: no execution has started"
    assert found["c"].seconds == {"upload": 0.5}


@pytest.mark.promise(42)
def test_the_queue_is_the_time_from_the_objects_arrival_to_the_start_of_its_execution() -> None:
    came = datetime(2026, 1, 2, 8, tzinfo=UTC)
    file = Sent("a", replace(sent("a").object, created=came), 0.5)
    began = replace(execution("a", "FAILED"), started=came + timedelta(seconds=1.5))
    assert outcomes(cloud(began), file)["a"].seconds == {"upload": 0.5, "queue": 1.5}


def test_executions_are_asked_for_from_the_oldest_file_on_that_waits() -> None:
    early, late = (datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (8, 9))
    asked: list[datetime] = []
    where: Any = cloud(execution("a", "FAILED"))

    def since(_: str, moment: datetime) -> Iterator[Any]:
        asked.append(moment)
        return iter([execution("a", "FAILED")])

    where.executions.since = since
    files = [Sent(name, Object("in", name, 7, 1, made), 0.5)
             for name, made in (("a", early), ("b", late))]  # fmt: skip
    outcomes(where, *files)
    assert early - timedelta(minutes=5) < asked[0] < early
    assert late - timedelta(minutes=5) < asked[1] < late


def test_without_a_record_a_failure_is_the_systems() -> None:
    one = outcomes(cloud(execution("b", "FAILED")), sent("b"))["b"]
    assert (one.error_class, one.reason, one.error_object) == ("system", "FAILED", "")


def written_for(name: str, generation: str = "7") -> dict[str, str]:
    return {"gpupipe-input-name": name, "gpupipe-input-generation": generation}


RESULT = '{"items": [{"label": "positive", "score": 0.9}]}'


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a b.txt", "results/a b.txt.7.json"),
        ("x" * 1020, f"results/{hashlib.sha256(b'x' * 1020).hexdigest()}.7.json"),
    ],
)
def test_a_result_counts_whatever_the_newest_execution_says(name: str, place: str) -> None:
    output = {place: (written_for(quote(name)), RESULT)}
    one = outcomes(cloud(execution(name, "FAILED"), output=output), sent(name))[name]
    assert (one.state, one.label, one.result_object) == ("succeeded", "positive", place)


@pytest.mark.parametrize("metadata", [{}, written_for("b", "6"), written_for("other")])
def test_an_object_of_another_input_is_no_result(metadata: dict[str, str]) -> None:
    output = {"results/b.7.json": (metadata, RESULT)}
    assert (
        outcomes(cloud(execution("b", "FAILED"), output=output), sent("b"))["b"].state == "failed"
    )


def test_a_failure_is_told_by_the_record_that_its_execution_names() -> None:
    error = {"error_file": "errors/b.7.json", "message": "from the execution"}
    failed = replace(execution("b", "FAILED"), error=error)
    record = '{"class": "input", "error": {"code": "empty_input", "message": "it is empty"}}'
    output = {"errors/b.7.json": (written_for("b"), record)}
    one = outcomes(cloud(failed, output=output), sent("b"))["b"]
    assert (one.error_class, one.reason, one.error_object) == (
        "input", "it is empty", "errors/b.7.json",
    )  # fmt: skip
    unnamed = replace(failed, error={"error_file": None, "class": "input", "message": "gone"})
    one = outcomes(cloud(unnamed, output=output), sent("b"))["b"]
    assert (one.error_class, one.reason, one.error_object) == ("input", "gone", "")
