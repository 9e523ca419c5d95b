"""The micro-batcher: what waits together runs together, nothing waits for company."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from common.problems import ProblemError
from gpu_inference.batcher import Batcher, Scored
from gpu_inference.inputs import Row
from gpu_inference.meter import PERIOD_S, Meter
from tests.services.fakes import FixedClock


class Device:
    """Counts batches; each call can be held at the door and can fail."""

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.door = threading.Event()
        self.error: Exception | None = None
        if not held:
            self.door.set()

    def score(self, rows: Sequence[Row]) -> list[list[float]]:
        self.batches.append([int(row[0]) for row in rows])
        self.entered.release()
        assert self.door.wait(20)
        if self.error:
            raise self.error
        return [[float(row[0])] for row in rows]


def run(
    device: Device,
    scene: Callable[[Batcher], Awaitable[None]],
    *,
    workers: int = 1,
    limit: int = 8,
    combine: bool = True,
) -> None:
    async def play() -> None:
        batcher = Batcher(
            device.score,
            max_batch=4,
            workers=workers,
            queue_limit=limit,
            most_of_one=4,
            clock=FixedClock(),
            combine=combine,
        )
        working = asyncio.create_task(batcher.run())
        try:
            await asyncio.wait_for(scene(batcher), 20)
        finally:
            device.door.set()
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working

    asyncio.run(play())


async def request(batcher: Batcher, *rows: int, patience_s: float = 0.0) -> Scored:
    async with batcher.admit(len(rows), patience_s):
        return await batcher.score([[row] * (row % 7 + 1) for row in rows])


async def entered(device: Device) -> None:
    assert await asyncio.to_thread(device.entered.acquire, timeout=20)


def test_what_queued_during_a_batch_is_the_next_batch() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        first = asyncio.create_task(request(batcher, 1))
        await entered(device)
        others = [asyncio.create_task(request(batcher, row)) for row in (2, 3, 4, 5, 6)]
        await asyncio.sleep(0)  # lets the tasks queue; no time passes
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        device.door.set()
        answers = [await task for task in (first, *others)]
        assert [answer.rows for answer in answers] == [[[float(n)]] for n in range(1, 7)]

    run(device, scene)
    assert device.batches == [[1], [2, 3, 4, 5], [6]]


def test_rows_run_by_length_and_come_back_in_order() -> None:
    device = Device()

    async def scene(batcher: Batcher) -> None:
        answer = await request(batcher, 6, 1, 5, 2, 4, 3, 0, 13)
        assert answer.rows == [[6.0], [1.0], [5.0], [2.0], [4.0], [3.0], [0.0], [13.0]]

    run(device, scene)
    assert device.batches == [[0, 1, 2, 3], [4, 5, 6, 13]]


def test_small_request_does_not_wait_for_all_of_a_large_one() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        large = asyncio.create_task(request(batcher, *range(100, 140)))
        await entered(device)
        small = asyncio.create_task(request(batcher, 1))
        device.door.set()
        await small
        assert not large.done()
        await large

    run(device, scene)
    assert [1] in device.batches[:4]


@pytest.mark.promise(35)
def test_full_queue_is_429_and_leaves_the_others_alone() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        tasks = [asyncio.create_task(request(batcher, row)) for row in range(8)]
        await entered(device)
        with pytest.raises(ProblemError) as caught:
            await request(batcher, 9)
        assert (caught.value.status, caught.value.code) == (429, "queue_full")
        assert caught.value.blame.value == "capacity"
        assert "retry-after" in caught.value.headers()
        device.door.set()
        assert len(await asyncio.gather(*tasks)) == 8
        assert (await request(batcher, 9)).rows == [[9.0]]

    run(device, scene)


def test_who_may_wait_gets_the_next_place_in_turn() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        large = [
            asyncio.create_task(request(batcher, *range(at, at + 50), patience_s=20))
            for at in (100, 200, 300, 400)
        ]
        await entered(device)
        with pytest.raises(ProblemError, match="8 windows"):
            await request(batcher, 1)
        large[2].cancel()
        device.door.set()
        ended = await asyncio.gather(*large, return_exceptions=True)
        assert isinstance(ended.pop(2), asyncio.CancelledError)
        assert [len(one.rows) for one in ended if isinstance(one, Scored)] == [50] * 3
        assert (await request(batcher, 9)).rows == [[9.0]]

    run(device, scene)
    first_rows = [batch[0] // 100 for batch in device.batches]
    assert 3 not in first_rows
    assert max(at for at, row in enumerate(first_rows) if row == 1) < first_rows.index(4)


def test_patience_ends_and_the_places_stay_right() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        large = [asyncio.create_task(request(batcher, *range(50))) for _ in range(2)]
        await entered(device)
        with pytest.raises(ProblemError, match="8 windows"):
            await request(batcher, 1, patience_s=0.001)
        device.door.set()
        await asyncio.gather(*large)
        assert (await request(batcher, *range(8))).rows[7] == [7.0]

    run(device, scene)


def test_one_large_request_is_always_taken_when_idle() -> None:
    async def scene(batcher: Batcher) -> None:
        assert len((await request(batcher, *range(50))).rows) == 50

    run(Device(), scene, limit=1)


def test_two_large_requests_fill_the_queue() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        large = [asyncio.create_task(request(batcher, *range(50))) for _ in range(2)]
        await entered(device)
        with pytest.raises(ProblemError, match="8 windows"):
            await request(batcher, 1)
        device.door.set()
        assert [len((await task).rows) for task in large] == [50, 50]

    run(device, scene)


def test_cancelled_request_takes_its_waiting_slices_along() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        large = asyncio.create_task(request(batcher, *range(100, 140)))
        await entered(device)
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        device.door.set()
        assert (await request(batcher, *range(1, 9))).rows == [[float(n)] for n in range(1, 9)]

    run(device, scene)
    assert sum(len(batch) for batch in device.batches) == 4 + 8


def test_failure_reaches_its_requests_and_the_worker_goes_on() -> None:
    device = Device()
    device.error = RuntimeError("device lost")

    async def scene(batcher: Batcher) -> None:
        with pytest.raises(RuntimeError, match="device lost"):
            await request(batcher, 1)
        device.error = None
        assert (await request(batcher, 2)).rows == [[2.0]]

    run(device, scene)


def test_cpu_workers_run_side_by_side() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        first = asyncio.create_task(request(batcher, 1))
        await entered(device)
        second = asyncio.create_task(request(batcher, 2))
        await entered(device)
        device.door.set()
        await asyncio.gather(first, second)

    run(device, scene, workers=2)


def test_without_combining_a_batch_is_of_one_request() -> None:
    device = Device(held=True)

    async def scene(batcher: Batcher) -> None:
        first = asyncio.create_task(request(batcher, 1))
        await entered(device)
        others = [asyncio.create_task(request(batcher, row, row)) for row in (2, 3)]
        await asyncio.sleep(0)  # lets the tasks queue; no time passes
        device.door.set()
        await asyncio.gather(first, *others)

    run(device, scene, combine=False)
    assert device.batches == [[1], [2, 2], [3, 3]]


def test_what_the_device_did_is_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = FixedClock()
    meter = Meter(clock)
    with caplog.at_level("INFO"):
        meter.batch(3, 0.25, 0.5)
        meter.refused()
        assert caplog.records == []
        clock.seconds += PERIOD_S
        meter.batch(1, 0.75, 0.25)
        meter.flush()
    (record,) = caplog.records
    assert record.getMessage() == "batches"
    assert vars(record)["fields"] == {
        "batches": 2,
        "rows": 4,
        "mean_batch": 2.0,
        "largest_batch": 3,
        "device_ms": 750.0,
        "mean_queue_ms": 500.0,
        "longest_queue_ms": 750.0,
        "refused": 1,
    }


def test_the_batcher_tells_its_meter(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(batcher: Batcher) -> None:
        await request(batcher, 1, 2, 3)

    with caplog.at_level("INFO"):
        run(Device(), scene)
    (record,) = caplog.records
    assert (vars(record)["fields"]["batches"], vars(record)["fields"]["rows"]) == (1, 3)
