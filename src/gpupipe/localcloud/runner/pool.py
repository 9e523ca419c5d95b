"""The instances of one revision: requests wait for a free place, instances come and go with them.

Scales from zero to the revision's maximum, as far as the region has room: a new instance starts
when the places of running and starting ones do not cover what waits. Idle ones stop after a time,
down to the minimum.
Thread-safe; time comes from the injected clock and only `tick` acts on it.
"""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, replace

from gpupipe.core.clock import Clock
from gpupipe.localcloud.runner.instance import Instance, Launch, StartError
from gpupipe.localcloud.runner.revision import RunnableRevision
from gpupipe.localcloud.runner.room import NoRoomError, Room

_LONGEST_BACKOFF_S = 60.0


class NoInstanceError(Exception):
    """No place is free and no more may wait, or the revision does not serve any more."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Settings of scaling: seconds of idleness before an instance stops; requests that may wait."""

    idle_s: float = 900
    most_waiting: int = 1000
    longest_wait_s: float = 10


@dataclass(slots=True, eq=False)
class Place:
    """One instance in a pool."""

    instance: Instance | None = None
    ready: bool = False
    stopping: bool = False
    active: int = 0
    idle_since: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it counts towards the minimum and maximum."""
        return not self.stopping


class Pool:
    """The instances of one revision and the requests that wait for them."""

    def __init__(
        self,
        revision: RunnableRevision,
        launch: Launch,
        room: Room,
        clock: Clock,
        scaling: Scaling,
    ) -> None:
        self.revision = revision
        self._launch = launch
        self._room = room
        self._clock = clock
        self._scaling = scaling
        self._lock = threading.RLock()
        self._places: list[Place] = []
        self._waiting: deque[Future[Place]] = deque()
        self._retired = False
        self._failures = 0
        self._not_before = 0.0
        self._billed_s = 0.0
        self._billed_until = clock.monotonic()

    def acquire(self) -> "Future[Place]":
        """A place for one request, perhaps later; NoInstanceError when too many wait already.

        The future fails with StartError when no instance starts, with NoRoomError when there is
        none and the region has no room for one, with NoInstanceError on a stop.
        """
        future: Future[Place] = Future()
        with self._lock:
            if self._retired:
                raise NoInstanceError
            if len(self._waiting) >= self._scaling.most_waiting:
                raise NoInstanceError
            self._waiting.append(future)
            self._serve()
            self._grow()
        return future

    def release(self, place: Place) -> None:
        """The request on this place has ended."""
        with self._lock:
            self._bill()
            place.active -= 1
            if place.active == 0:
                place.idle_since = self._clock.monotonic()
                if self._retired:
                    self._stop(place)
            self._serve()

    def tick(self) -> None:
        """Stop what has been idle for long enough, start what the minimum asks for."""
        now = self._clock.monotonic()
        with self._lock:
            self._serve()
            for place in self._idle(now - self._scaling.idle_s):
                if self.count > self._minimum:
                    self._stop(place)
            self._grow()
            while self.count < self._minimum and now >= self._not_before:
                try:
                    self._start()
                except NoRoomError:
                    break

    def resize(self, max_instances: int) -> None:
        """Another maximum; instances beyond it end once they are idle for long enough."""
        with self._lock:
            self.revision = replace(self.revision, max_instances=max_instances)
            self._grow()

    def end_idle(self) -> bool:
        """End one idle instance before its time, not below the minimum; False where there is none."""
        with self._lock:
            idle = self._idle(self._clock.monotonic()) if self.count > self._minimum else []
            for place in idle[:1]:
                self._stop(place)
            return bool(idle)

    def retire(self) -> None:
        """Take no new requests; instances end as their requests do."""
        with self._lock:
            self._retired = True
            self._fail_waiting(NoInstanceError())
            for place in self._places:
                if place.active == 0:
                    self._stop(place)

    def stop(self) -> None:
        """End every instance now, whatever it does."""
        with self._lock:
            self.retire()
            for place in self._places:
                self._stop(place)

    def counts(self) -> tuple[int, int]:
        """How many instances have requests or start, and how many are idle."""
        with self._lock:
            active = sum(place.active > 0 or not place.ready for place in self._places)
            return active, len(self._places) - active

    def groups(self) -> tuple[int, ...]:
        """The process groups of the instances."""
        with self._lock:
            found = [place.instance and place.instance.group for place in self._places]
        return tuple(group for group in found if group)

    def take_billed(self) -> float:
        """Seconds for which instances were billed since this was last asked, all together."""
        with self._lock:
            self._bill()
            billed, self._billed_s = self._billed_s, 0.0
            return billed

    @property
    def count(self) -> int:
        """Instances that run or start."""
        return sum(place.counts for place in tuple(self._places))

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return sum(not future.done() for future in self._waiting)

    @property
    def starting(self) -> bool:
        """Whether an instance is on its way."""
        return any(place.counts and not place.ready for place in self._places)

    @property
    def longest_wait_s(self) -> float:
        """Seconds that a request waits for a place of instances that run already."""
        return self._scaling.longest_wait_s

    @property
    def _minimum(self) -> int:
        return 0 if self._retired else self.revision.min_instances

    def abandon(self, future: "Future[Place]") -> None:
        """The request stopped waiting; a place that it was given meanwhile is free again."""
        if not future.cancel() and future.exception() is None:
            self.release(future.result())

    # The two calls of runner.instance.Events, from the instances' threads.

    def started(self, instance: Instance) -> None:
        """An instance answers: give its places to those who wait."""
        with self._lock:
            place = self._place_of(instance)
            if place is None:
                return
            self._bill()
            place.ready = True
            place.idle_since = self._clock.monotonic()
            self._failures = 0
            self._not_before = 0.0
            self._serve()

    def ended(self, instance: Instance, failure: StartError | None) -> None:
        """An instance is gone: start another for those who wait, or tell them why there is none."""
        with self._lock:
            place = self._place_of(instance)
            self._bill()
            if place is not None:
                self._places.remove(place)
            if failure is not None and (place is None or not place.stopping):
                self._failures += 1
                pause = min(2.0**self._failures, _LONGEST_BACKOFF_S)
                self._not_before = self._clock.monotonic() + pause
                if not self.count:
                    self._fail_waiting(failure)
            elif self._waiting:
                self._grow()

    def _bill(self) -> None:
        """Count the time since the last change; an instance's start is billed like a request."""
        now = self._clock.monotonic()
        billed = sum(
            place.active > 0 or not place.ready or not self.revision.cpu_idle
            for place in self._places
        )
        self._billed_s += billed * (now - self._billed_until)
        self._billed_until = now

    def _serve(self) -> None:
        while self._waiting and (place := self._free_place()) is not None:
            future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                self._bill()
                place.active += 1
                future.set_result(place)

    def _free_place(self) -> Place | None:
        room = [
            place
            for place in self._places
            if place.ready and not place.stopping and place.active < self.revision.concurrency
        ]
        return min(room, key=lambda place: place.active, default=None)

    def _grow(self) -> None:
        """Start as many instances as the waiting requests need beyond those that are starting.

        Where the region has no room, requests wait for the instances that there are.
        """
        starting = sum(place.counts and not place.ready for place in self._places)
        while (
            self.waiting > starting * self.revision.concurrency
            and self.count < self.revision.max_instances
        ):
            try:
                self._start()
            except NoRoomError as error:
                if not self.count:
                    self._fail_waiting(error)
                break
            starting += 1

    def _start(self) -> None:
        self._room.take(self.revision, self._add)

    def _add(self) -> None:
        self._bill()
        place = Place()
        self._places.append(place)
        place.instance = self._launch(self.revision, self)

    def _stop(self, place: Place) -> None:
        if not place.stopping and place.instance is not None:
            place.stopping = True
            place.instance.stop()

    def _idle(self, since: float) -> list[Place]:
        return [
            place
            for place in self._places
            if place.ready
            and not place.stopping
            and place.active == 0
            and place.idle_since <= since
        ]

    def _place_of(self, instance: Instance) -> Place | None:
        return next((place for place in self._places if place.instance is instance), None)

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
