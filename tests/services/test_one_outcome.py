"""Exactly one outcome for each generation, whatever is delivered twice, retried, lost or raced.

The shipped workflow over the real services; only Cloud Storage, the model and time are stand-ins.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from common.store import StorageDeniedError, StorageUnavailableError
from gpupipe.workflows.errors import ExecutionFailed
from tests.services.fakes import INPUT, OUTPUT, WORK, FakeScorer, MemoryStore
from tests.support.schemas import checker
from tests.support.services import AFTER, BEFORE, FINE, Services

RESULT, ERROR = checker("result.v1"), checker("error.v1")
TEXTS = "text\n" + "\n".join(f"{'very ' * (number % 7)}good" for number in range(1500))


def play(services: Services, scene: Callable[[Services], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        async with services.running():
            return await asyncio.wait_for(scene(services), 60)

    return asyncio.run(whole())


async def ended(services: Services, name: str, generation: str, execution: str = "run-1") -> Any:
    """What the execution returned, or its error."""
    try:
        return await services.execute(name, generation, execution)
    except ExecutionFailed as error:
        return json.loads(error.payload)


def outcomes(store: MemoryStore) -> dict[str, Any]:
    """The documents of the output bucket that fit their schema, by name."""
    found = {}
    for name in store.names(OUTPUT):
        if name.endswith(".json"):
            found[name] = json.loads(store.data(OUTPUT, name))
            (RESULT if name.startswith("results/") else ERROR)(found[name])
    return found


@pytest.mark.promise("D29")
def test_two_executions_of_one_event_race_to_one_result() -> None:
    services = Services()
    generation = services.store.put(INPUT, "a.csv", TEXTS.encode())

    async def scene(services: Services) -> Any:
        runs = (ended(services, "a.csv", generation, f"run-{n}") for n in range(3))
        return await asyncio.gather(*runs)

    answers = play(services, scene)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["status"] == "success"
    (name,) = outcomes(services.store)
    assert services.store.names(OUTPUT) == [name.replace(".json", ".items.jsonl"), name]
    assert len(services.store.names(WORK)) == 2 * 2


@pytest.mark.promise("D29")
def test_an_event_that_comes_again_later_changes_nothing() -> None:
    services = Services()
    generation = services.store.put(INPUT, "a.txt", b"good")

    async def scene(services: Services) -> Any:
        first = await ended(services, "a.txt", generation, "run-1")
        before = dict(services.store.objects)
        scored = len(services.scorer.batches)
        second = await ended(services, "a.txt", generation, "run-2")
        assert services.store.objects == before
        assert len(services.scorer.batches) == scored
        return first, second

    first, second = play(services, scene)
    assert first == second


@pytest.mark.promise("D29")
@pytest.mark.parametrize("fault", sorted(AFTER))
@pytest.mark.parametrize("call", range(3))
def test_a_service_that_is_gone_after_its_write_is_asked_again(fault: str, call: int) -> None:
    services = Services(faults=iter([FINE] * call + [fault]))
    generation = services.store.put(INPUT, "a.txt", b"good")
    answer = play(services, lambda one: ended(one, "a.txt", generation))
    assert answer["status"] == "success"
    assert len(services.called) == 4
    (document,) = outcomes(services.store).values()
    assert document["items"][0]["label"] == "positive"


# Six failures of one call would be given up; then a result of the other execution beats the record.
FAULTS = st.lists(st.sampled_from([FINE, *BEFORE, *AFTER]), min_size=1, max_size=5)


@pytest.mark.promise("D29")
@given(FAULTS, st.sampled_from([b"text\ngood\nso good\n", b"text\n\xff", b"a,b"]))
@settings(max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
def test_whatever_goes_wrong_two_executions_leave_one_outcome(
    faults: list[str], data: bytes
) -> None:
    services = Services(faults=iter(faults))
    generation = services.store.put(INPUT, "a.csv", data)

    async def scene(services: Services) -> Any:
        return await asyncio.gather(
            ended(services, "a.csv", generation, "run-1"),
            ended(services, "a.csv", generation, "run-2"),
        )

    answers = play(services, scene)
    (name,) = outcomes(services.store)
    good = data.startswith(b"text\ngood")
    assert name == f"{'results' if good else 'errors'}/a.csv.{generation}.json"
    for answer in answers:
        assert (answer.get("status") == "success") is good
        assert answer.get("output_file" if good else "error_file") == name


def test_a_quick_overwrite_supersedes_what_was_not_read_yet() -> None:
    services = Services()
    old = services.store.put(INPUT, "a.txt", b"good")
    new = services.store.put(INPUT, "a.txt", b"so good")

    async def scene(services: Services) -> Any:
        return await asyncio.gather(
            ended(services, "a.txt", old, "run-1"), ended(services, "a.txt", new, "run-2")
        )

    first, second = play(services, scene)
    assert (first["status"], second["status"]) == ("superseded", "success")
    assert list(outcomes(services.store)) == [f"results/a.txt.{new}.json"]


def test_an_overwrite_after_the_file_was_read_leaves_an_outcome_for_each() -> None:
    scorer = FakeScorer()
    services = Services(scorer=scorer)
    old = services.store.put(INPUT, "a.txt", b"good")

    async def scene(services: Services) -> Any:
        for _ in range(2):
            scorer.entered.acquire()  # the warm-up
        scorer.hold.clear()
        first = asyncio.create_task(ended(services, "a.txt", old, "run-1"))
        assert await asyncio.to_thread(scorer.entered.acquire, timeout=20)
        new = services.store.put(INPUT, "a.txt", b"so good")
        scorer.hold.set()
        return new, await first, await ended(services, "a.txt", new, "run-2")

    new, *answers = play(services, scene)
    assert [answer["status"] for answer in answers] == ["success", "success"]
    assert set(outcomes(services.store)) == {f"results/a.txt.{one}.json" for one in (old, new)}


@pytest.mark.parametrize(
    ("call", "name", "stage"),
    [
        ("read", "a.txt", "preprocess"),
        ("create", "chunks", "preprocess"),
        ("read", "chunks", "inference"),
        ("create", "scores", "inference"),
        ("read", "scores", "postprocess"),
    ],
)
@pytest.mark.promise(75)
def test_a_missing_permission_is_one_error_record_of_the_system(
    call: str, name: str, stage: str
) -> None:
    services = Services(store=Denying(call, name))
    generation = services.store.put(INPUT, "a.txt", b"good")
    answer = play(services, lambda one: ended(one, "a.txt", generation))
    assert (answer["class"], answer["stage"]) == ("system", stage)
    (document,) = outcomes(services.store).values()
    assert document["error"]["code"] == "storage_permission_denied"


def test_a_result_that_may_not_be_written_fails_the_execution_and_leaves_nothing() -> None:
    services = Services(store=Denying("create", ""))
    generation = services.store.put(INPUT, "a.txt", b"good")
    answer = play(services, lambda one: ended(one, "a.txt", generation))
    assert (answer["class"], answer["error_file"]) == ("system", None)
    assert services.store.names(OUTPUT) == []


def test_storage_that_does_not_answer_for_long_is_an_error_of_capacity() -> None:
    services = Services()
    generation = services.store.put(INPUT, "a.txt", b"good")
    services.store.refusals[("read", "a.txt")] = StorageUnavailableError(INPUT, "a.txt", "Timeout")
    answer = play(services, lambda one: ended(one, "a.txt", generation))
    assert (answer["class"], answer["code"]) == ("capacity", "queue_wait_over")
    assert len(outcomes(services.store)) == 1


class Denying(MemoryStore):
    """Denies one kind of call on names that begin like this."""

    def __init__(self, call: str, name: str) -> None:
        super().__init__()
        self._denied = call, name

    def _refuse(self, call: str, name: str) -> None:
        super()._refuse(call, name)
        if call == self._denied[0] and name.startswith(self._denied[1]):
            raise StorageDeniedError("bucket", name)
