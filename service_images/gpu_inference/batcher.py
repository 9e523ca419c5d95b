"""Requests that wait together run together: a greedy micro-batcher.

Contract: a worker never waits for company; it takes whatever queued while the last batch ran, up
to `max_batch` rows, or without `combine` one request's rows only: on a CPU two threads that score
one text each are faster than one batch of two. A request's rows are sorted by length and go in
slices, a few at a time, so that a large request neither pads its short rows nor starves a small one.
When `queue_limit` rows are admitted and not yet done, the next request is refused with a ProblemError
429, or waits its turn as long as it may: a large file's next chunk is there when the last one is
done. A request counts as `most_of_one` rows at most, which decides how many large ones share the
device while small ones still get in. A request that is cancelled takes its waiting slices along;
only those that run run on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from common.clock import Clock
from common.problems import Blame, ProblemError
from gpu_inference.inputs import Row
from gpu_inference.meter import Meter

Probabilities = list[float]
Score = Callable[[Sequence[Row]], list[Probabilities]]
_RETRY_AFTER_S = 2
# Requests that may wait for a place; the rest of a large file, not a queue of its own.
_HALL = 16


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows' probabilities in the order of the request, and where the time went.

    batch: rows of the largest batch that they were in, with those of other requests.
    """

    rows: list[Probabilities]
    queue_ms: float
    inference_ms: float
    batch: int


@dataclass(slots=True)
class _Slice:
    rows: Sequence[Row]
    answer: asyncio.Future[list[Probabilities]]
    queued: float
    started: float = 0.0
    batch: int = 0


class Batcher:
    """Feeds one blocking scorer from many requests."""

    def __init__(
        self,
        score: Score,
        *,
        max_batch: int,
        workers: int,
        queue_limit: int,
        most_of_one: int,
        clock: Clock,
        combine: bool = True,
    ) -> None:
        self._score = score
        self._max_batch = max_batch
        self._workers = workers
        self._queue_limit = queue_limit
        self._most_of_one = most_of_one
        self._clock = clock
        self._combine = combine
        self._meter = Meter(clock)
        # None is the end, for whichever worker meets it.
        self._waiting: SimpleQueue[_Slice | None] = SimpleQueue()
        self._admitted = 0
        self._hall: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def admit(self, rows: int, patience_s: float = 0.0) -> AsyncIterator[None]:
        """Holds a place for `rows` rows. Raises a ProblemError 429 when none comes free in time."""
        weight = min(rows, self._most_of_one)
        if self._fits(weight):
            self._admitted += weight
        else:
            await self._wait_for_room(weight, patience_s)
        try:
            yield
        finally:
            self._give_back(weight)

    def _fits(self, weight: int) -> bool:
        return not self._admitted or self._admitted + weight <= self._queue_limit

    async def _wait_for_room(self, weight: int, patience_s: float) -> None:
        if patience_s <= 0 or len(self._hall) >= _HALL:
            raise self._full()
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hall.append((weight, called))
        try:
            async with asyncio.timeout(patience_s):
                await called
        except BaseException as error:
            if called.done() and not called.cancelled():  # just when the time was up
                self._give_back(weight)
            else:
                self._hall.remove((weight, called))
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _give_back(self, weight: int) -> None:
        self._admitted -= weight
        while self._hall and self._fits(self._hall[0][0]):
            next_weight, called = self._hall[0]
            if called.done():  # it is about to leave by itself
                return
            self._hall.popleft()
            self._admitted += next_weight
            called.set_result(None)

    def _full(self) -> ProblemError:
        self._meter.refused()
        return ProblemError(
            429,
            "queue_full",
            f"{self._admitted} windows of text wait; at most {self._queue_limit} may",
            blame=Blame.CAPACITY,
            details={"waiting": self._admitted, "limit": self._queue_limit},
            retry_after_s=_RETRY_AFTER_S,
        )

    async def score(self, rows: Sequence[Row]) -> Scored:
        """Scores the rows of one admitted request."""
        queued = self._clock.monotonic()
        if len(rows) <= self._max_batch:
            part = self._queue(rows)
            found = await part.answer
            return self._scored(found, queued, [part])
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        size = self._max_batch
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        done = await self._score_parts([[rows[index] for index in part] for part in parts])
        answers: dict[int, Probabilities] = {}
        for indices, part in zip(parts, done, strict=True):
            answers.update(zip(indices, part.answer.result(), strict=True))
        return self._scored([answers[index] for index in range(len(rows))], queued, done)

    def _scored(self, rows: list[Probabilities], queued: float, parts: Sequence[_Slice]) -> Scored:
        ended, began = self._clock.monotonic(), min(part.started for part in parts)
        return Scored(
            rows,
            queue_ms=round((began - queued) * 1000, 1),
            inference_ms=round((ended - began) * 1000, 1),
            batch=max(part.batch for part in parts),
        )

    async def _score_parts(self, parts: Sequence[Sequence[Row]]) -> list[_Slice]:
        places = asyncio.Semaphore(self._workers + 1)

        async def one(rows: Sequence[Row]) -> _Slice:
            async with places:
                part = self._queue(rows)
                await part.answer
                return part

        tasks = [asyncio.create_task(one(rows)) for rows in parts]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # of no effect on those that are done

    def _queue(self, rows: Sequence[Row]) -> _Slice:
        answer: asyncio.Future[list[Probabilities]] = asyncio.get_running_loop().create_future()
        part = _Slice(rows, answer, self._clock.monotonic())
        self._waiting.put(part)
        return part

    async def run(self) -> None:
        """Works until cancelled."""
        loop = asyncio.get_running_loop()
        # Daemons: the end of the service does not wait for a batch whose requests are gone.
        for _ in range(self._workers):
            Thread(target=self._work, args=(loop,), name="score", daemon=True).start()
        try:
            await loop.create_future()
        finally:
            for _ in range(self._workers):
                self._waiting.put(None)
            self._meter.flush()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread that takes the next batch as soon as its last one is done."""
        for batch in self._batches():
            rows = [row for part in batch for row in part.rows]
            began = self._clock.monotonic()
            for part in batch:
                part.started, part.batch = began, len(rows)
            found: list[Probabilities] | Exception
            try:
                found = self._score(rows)
            except Exception as error:  # noqa: BLE001 - a supervisor: its requests get the error
                found = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._finish, batch, found, self._clock.monotonic())

    def _batches(self) -> Iterator[list[_Slice]]:
        """What has queued, as much as fits into one; waits while there is nothing. Ends with the queue."""
        left: _Slice | None = None
        while (first := left or self._waiting.get()) is not None:
            left = None
            if not first.answer.cancelled():
                batch, left = self._with_company(first)
                yield batch

    def _with_company(self, first: _Slice) -> tuple[list[_Slice], _Slice | None]:
        """A batch, and the slice that did not fit into it."""
        batch, room = [first], self._max_batch - len(first.rows)
        while self._combine:
            try:
                part = self._waiting.get_nowait()
            except Empty:
                break
            if part is None:
                self._waiting.put(None)  # for after this batch
                break
            if part.answer.cancelled():
                continue
            if len(part.rows) > room:
                return batch, part
            batch.append(part)
            room -= len(part.rows)
        return batch, None

    def _finish(
        self, batch: Sequence[_Slice], found: list[Probabilities] | Exception, ended: float
    ) -> None:
        if isinstance(found, Exception):
            for part in batch:
                if not part.answer.done():
                    part.answer.set_exception(found)
            return
        _hand_out(batch, found)
        began = batch[0].started
        queue_s = began - min(part.queued for part in batch)
        self._meter.batch(len(found), queue_s, ended - began)


def _hand_out(batch: Sequence[_Slice], found: list[Probabilities]) -> None:
    start = 0
    for part in batch:
        end = start + len(part.rows)
        if not part.answer.done():
            part.answer.set_result(found[start:end])
        start = end
