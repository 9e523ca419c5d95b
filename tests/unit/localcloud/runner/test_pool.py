"""Scaling: from zero and back, the concurrency gate, waiting, failures; no process, no real time."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.clock import FakeClock

from gpupipe.localcloud.runner.instance import Events, StartError
from gpupipe.localcloud.runner.pool import NoInstanceError, Place, Pool, Scaling
from gpupipe.localcloud.runner.revision import Program, RunnableRevision
from gpupipe.localcloud.runner.room import NoRoomError, Room


@dataclass(eq=False)
class FakeInstance:
    events: Events
    address: str = "http://127.0.0.1:9"
    group: int | None = None
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True

    def start(self) -> None:
        self.events.started(self)

    def fail(self) -> None:
        self.events.ended(self, StartError("no model"))

    def end(self) -> None:
        self.events.ended(self, None)


@dataclass
class FakeLaunch:
    instances: list[FakeInstance] = field(default_factory=list)

    def __call__(self, revision: RunnableRevision, events: Events) -> FakeInstance:
        self.instances.append(FakeInstance(events))
        return self.instances[-1]


def revision(**values: Any) -> RunnableRevision:
    settings: dict[str, Any] = {
        "concurrency": 2,
        "max_instances": 2,
        "allocation": {"Cpu": 40},
        **values,
    }
    return RunnableRevision(
        "demo-project",
        1,
        "us-central1",
        "svc",
        "svc-1",
        "a@b",
        Program(Path("/"), ("x",)),
        **settings,
    )


class Bench:
    def __init__(self, **values: Any) -> None:
        self.clock = FakeClock()
        self.launch = FakeLaunch()
        scaling = Scaling(idle_s=60, most_waiting=5)
        self.limits = {"Cpu": 100}
        room = Room(lambda _p, _r, quota: self.limits[quota], self._usage)
        self.pool = Pool(revision(**values), self.launch, room, self.clock, scaling)

    def _usage(self) -> list[tuple[RunnableRevision, int]]:
        return [(self.pool.revision, self.pool.count)]

    @property
    def instances(self) -> list[FakeInstance]:
        return self.launch.instances


@pytest.mark.promise(104)
def test_nothing_runs_until_a_request_comes() -> None:
    bench = Bench()
    bench.pool.tick()
    assert bench.instances == []
    future = bench.pool.acquire()
    assert (len(bench.instances), future.done()) == (1, False)
    bench.instances[0].start()
    assert future.result(0).instance is bench.instances[0]


@pytest.mark.promise(104)
def test_an_idle_instance_stops_after_its_time() -> None:
    bench = Bench()
    future = bench.pool.acquire()
    bench.instances[0].start()
    bench.clock.advance(1000)
    bench.pool.tick()
    assert not bench.instances[0].stopped
    bench.pool.release(future.result(0))
    bench.clock.advance(59)
    bench.pool.tick()
    assert not bench.instances[0].stopped
    bench.clock.advance(1)
    bench.pool.tick()
    assert bench.instances[0].stopped
    assert bench.pool.count == 0


@pytest.mark.promise(106)
def test_an_instance_takes_as_many_as_its_concurrency() -> None:
    bench = Bench()
    futures = [bench.pool.acquire() for _ in range(2)]
    assert len(bench.instances) == 1
    bench.instances[0].start()
    third = bench.pool.acquire()
    assert len(bench.instances) == 2
    assert [future.done() for future in (*futures, third)] == [True, True, False]
    bench.instances[1].start()
    assert third.result(0).instance is bench.instances[1]


@pytest.mark.promise(107)
def test_the_maximum_holds_and_requests_wait_for_a_place() -> None:
    bench = Bench(max_instances=1)
    first = bench.pool.acquire()
    bench.instances[0].start()
    bench.pool.acquire()
    third = bench.pool.acquire()
    assert (len(bench.instances), third.done()) == (1, False)
    bench.pool.release(first.result(0))
    assert third.done()


def test_only_so_many_may_wait() -> None:
    bench = Bench()
    for _ in range(5):
        bench.pool.acquire()
    with pytest.raises(NoInstanceError):
        bench.pool.acquire()


def test_the_minimum_is_kept_and_refilled() -> None:
    bench = Bench(min_instances=1)
    bench.pool.tick()
    bench.instances[0].start()
    bench.clock.advance(10_000)
    bench.pool.tick()
    assert not bench.instances[0].stopped
    bench.instances[0].end()
    bench.pool.tick()
    assert len(bench.instances) == 2


def test_a_failed_start_is_told_and_the_next_minimum_waits() -> None:
    bench = Bench(min_instances=1)
    future = bench.pool.acquire()
    bench.instances[0].fail()
    with pytest.raises(StartError):
        future.result(0)
    bench.pool.tick()
    assert len(bench.instances) == 1
    bench.clock.advance(2)
    bench.pool.tick()
    assert len(bench.instances) == 2


def test_who_gave_up_waiting_gets_no_place() -> None:
    bench = Bench(concurrency=1)
    given: Future[Place] = bench.pool.acquire()
    bench.pool.abandon(bench.pool.acquire())
    bench.instances[0].start()
    assert given.done()
    bench.pool.abandon(given)
    assert bench.pool.acquire().done()


def test_a_crash_starts_another_for_those_who_wait() -> None:
    bench = Bench(max_instances=1, concurrency=1)
    bench.pool.acquire()
    bench.instances[0].start()
    waiting = bench.pool.acquire()
    bench.instances[0].end()
    bench.instances[1].start()
    assert waiting.done()


def test_a_retired_pool_ends_with_its_requests() -> None:
    bench = Bench()
    future = bench.pool.acquire()
    bench.instances[0].start()
    bench.pool.retire()
    assert not bench.instances[0].stopped
    with pytest.raises(NoInstanceError):
        bench.pool.acquire()
    bench.pool.release(future.result(0))
    assert bench.instances[0].stopped


def test_a_larger_maximum_helps_those_who_wait_already() -> None:
    bench = Bench(concurrency=1, max_instances=1)
    places = [bench.pool.acquire() for _ in range(2)]
    bench.instances[0].start()
    assert [place.done() for place in places] == [True, False]
    bench.pool.resize(2)
    bench.instances[1].start()
    assert places[1].done()


@pytest.mark.promise(106)
def test_no_more_instances_start_than_the_region_has_room_for() -> None:
    bench = Bench(concurrency=1, max_instances=5)
    futures = [bench.pool.acquire() for _ in range(3)]
    assert len(bench.instances) == 2
    bench.instances[0].start()
    bench.pool.release(futures[0].result(0))
    assert futures[1].result(0).instance is bench.instances[0]
    assert not futures[2].done()
    bench.limits["Cpu"] = 120
    bench.pool.tick()
    assert len(bench.instances) == 2  # the one that starts is for the request that waits
    more = bench.pool.acquire()
    assert len(bench.instances) == 3
    assert not more.done()


def test_without_any_instance_nobody_waits_for_room() -> None:
    bench = Bench()
    bench.limits["Cpu"] = 39
    with pytest.raises(NoRoomError, match="Cpu"):
        bench.pool.acquire().result(0)
    bench.limits["Cpu"] = 40
    bench.pool.acquire()
    assert len(bench.instances) == 1


def test_a_minimum_starts_as_far_as_there_is_room() -> None:
    bench = Bench(min_instances=2)
    bench.limits["Cpu"] = 40
    bench.pool.tick()
    assert len(bench.instances) == 1
    bench.limits["Cpu"] = 80
    bench.pool.tick()
    assert len(bench.instances) == 2
