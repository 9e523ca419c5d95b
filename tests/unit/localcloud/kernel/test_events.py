import sqlite3
from typing import Any

import pytest

from gpupipe.localcloud.kernel.kernel import Kernel

KIND = "google.cloud.storage.object.v1.finalized"
EVENT: dict[str, Any] = {"type": KIND, "bucket": "one", "id": "1"}


def record(connection: sqlite3.Connection, event: dict[str, Any]) -> None:
    connection.execute("INSERT INTO deliveries VALUES (?)", (event["id"],))


@pytest.fixture
def woken(kernel: Kernel) -> list[int]:
    """How many deliveries were there whenever the waker ran."""
    seen: list[int] = []
    kernel.database.define("CREATE TABLE deliveries (id TEXT)")
    kernel.events.register(record, lambda: seen.append(count(kernel)))
    return seen


def count(kernel: Kernel) -> int:
    found = kernel.database.read().execute("SELECT count(*) FROM deliveries").fetchone()[0]
    return int(found)


def test_recorded_in_the_transaction_woken_after_it(kernel: Kernel, woken: list[int]) -> None:
    with kernel.database.transaction():
        kernel.events.publish(KIND, "one", EVENT)
        assert woken == []
    assert woken == [1]


def test_a_rollback_takes_the_event_along(kernel: Kernel, woken: list[int]) -> None:
    with pytest.raises(RuntimeError), kernel.database.transaction():  # noqa: PT012
        kernel.events.publish(KIND, "one", EVENT)
        raise RuntimeError
    assert (woken, count(kernel)) == ([], 0)


def test_an_event_that_contradicts_its_arguments_is_a_mistake(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="of one given as"):
        kernel.events.publish(KIND, "two", EVENT)
