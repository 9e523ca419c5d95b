"""Files are followed to an outcome each, or to the deadline."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

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


def cloud(*executions: Execution) -> Cloud:
    """A cloud whose workflow has these executions and whose buckets are empty."""
    fake: Any = SimpleNamespace(
        executions=SimpleNamespace(since=lambda *_: list(executions)),
        storage=SimpleNamespace(read=lambda *_: None),
        caller=SimpleNamespace(hurry=1.0),
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


def test_executions_are_asked_for_from_the_oldest_file_on_that_waits() -> None:
    early, late = (datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (8, 9))
    asked: list[datetime] = []
    where: Any = cloud(execution("a", "FAILED"))
    where.executions.since = lambda _, moment: asked.append(moment) or [execution("a", "FAILED")]
    files = [Sent(name, Object("in", name, 7, 1, made), 0.5)
             for name, made in (("a", early), ("b", late))]  # fmt: skip
    outcomes(where, *files)
    assert early - timedelta(minutes=5) < asked[0] < early
    assert late - timedelta(minutes=5) < asked[1] < late


def test_without_a_record_a_failure_is_the_systems() -> None:
    one = outcomes(cloud(execution("b", "FAILED")), sent("b"))["b"]
    assert (one.error_class, one.reason, one.error_object) == ("system", "FAILED", "")
