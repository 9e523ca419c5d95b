"""Requests that wait together run together: a greedy micro-batcher.

Contract: a worker never waits for company; it takes whatever queued while the last batch ran, up
to `max_batch` rows. A request's rows are sorted by length and go in slices, a few at a time, so
that a large request neither pads its short rows nor starves a small one. When `queue_limit` rows
are admitted and not yet done, the next request is refused with a ProblemError 429; a request counts
as `most_of_one` rows at most, which decides how many large ones share the device while small ones
still get in. A request that is cancelled takes its waiting slices along; only those that run run on.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from common.clock import Clock
from common.problems import Blame, ProblemError
from gpu_inference.inputs import Row

Probabilities = list[float]
Score = Callable[[Sequence[Row]], list[Probabilities]]
_RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows' probabilities in the order of the request, and where the time went."""

    rows: list[Probabilities]
    queue_ms: float
    inference_ms: float


@dataclass(slots=True)
class _Slice:
    rows: list[Row]
    answer: asyncio.Future[list[Probabilities]]
    started: float = 0.0


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
    ) -> None:
        self._score = score
        self._max_batch = max_batch
        self._workers = workers
        self._queue_limit = queue_limit
        self._most_of_one = most_of_one
        self._clock = clock
        self._waiting: deque[_Slice] = deque()
        self._arrived = asyncio.Event()
        self._admitted = 0

    @contextmanager
    def admit(self, rows: int) -> Iterator[None]:
        """Holds a place for `rows` rows. Raises a ProblemError 429 when all are taken."""
        weight = min(rows, self._most_of_one)
        if self._admitted and self._admitted + weight > self._queue_limit:
            message = f"{self._admitted} windows of text wait; at most {self._queue_limit} may"
            details = {"waiting": self._admitted, "limit": self._queue_limit}
            raise ProblemError(
                429,
                "queue_full",
                message,
                blame=Blame.CAPACITY,
                details=details,
                retry_after_s=_RETRY_AFTER_S,
            )
        self._admitted += weight
        try:
            yield
        finally:
            self._admitted -= weight

    async def score(self, rows: Sequence[Row]) -> Scored:
        """Scores the rows of one admitted request."""
        queued = self._clock.monotonic()
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        places = asyncio.Semaphore(self._workers + 1)
        starts: list[float] = []

        async def one(indices: list[int]) -> list[Probabilities]:
            async with places:
                part = _Slice(
                    [rows[i] for i in indices], asyncio.get_running_loop().create_future()
                )
                self._waiting.append(part)
                self._arrived.set()
                found = await part.answer
                starts.append(part.started)
                return found

        size = self._max_batch
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        tasks = [asyncio.create_task(one(part)) for part in parts]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # of no effect on those that are done
        answers: dict[int, Probabilities] = {}
        for indices, probabilities in zip(parts, found, strict=True):
            answers.update(zip(indices, probabilities, strict=True))
        began, ended = min(starts), self._clock.monotonic()
        return Scored(
            [answers[index] for index in range(len(rows))],
            queue_ms=round((began - queued) * 1000, 1),
            inference_ms=round((ended - began) * 1000, 1),
        )

    async def run(self) -> None:
        """Works until cancelled."""
        threads = CapacityLimiter(self._workers)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work(threads))

    async def _work(self, threads: CapacityLimiter) -> None:
        while True:
            batch = self._take()
            if not batch:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            rows = [row for part in batch for row in part.rows]
            try:
                found = await to_thread.run_sync(self._score, rows, limiter=threads)
            except Exception as error:  # noqa: BLE001 - a supervisor: its requests get the error
                for part in batch:
                    if not part.answer.done():
                        part.answer.set_exception(error)
                continue
            _hand_out(batch, found)

    def _take(self) -> list[_Slice]:
        batch: list[_Slice] = []
        size = 0
        while self._waiting and size + len(self._waiting[0].rows) <= self._max_batch:
            part = self._waiting.popleft()
            if not part.answer.cancelled():
                batch.append(part)
                size += len(part.rows)
        started = self._clock.monotonic()
        for part in batch:
            part.started = started
        return batch


def _hand_out(batch: Sequence[_Slice], found: list[Probabilities]) -> None:
    start = 0
    for part in batch:
        end = start + len(part.rows)
        if not part.answer.done():
            part.answer.set_result(found[start:end])
        start = end
