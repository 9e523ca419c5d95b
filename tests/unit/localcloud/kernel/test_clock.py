"""The clock that is moved by hand, and what waits for it."""

import asyncio
import threading
from pathlib import Path

import pytest
from tests.support.clock import FakeClock

from gpupipe.core.clock import SystemClock
from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.settings import Settings

LONG_S = 3600.0


def test_both_times_move_ahead_and_never_back(kernel: Kernel, clock: FakeClock) -> None:
    now, monotonic = kernel.clock.now(), kernel.clock.monotonic()
    kernel.clock.advance(90)
    assert (kernel.clock.now() - now).total_seconds() == 90
    assert kernel.clock.monotonic() - monotonic == 90
    assert clock.monotonic() == 0
    kernel.clock.advance(-5)
    assert kernel.clock.ahead_s == 90
    with pytest.raises(ServiceError):
        kernel.clock.advance(1e12)
    assert kernel.clock.ahead_s == 90


def test_it_stays_ahead_over_a_restart(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "cloud")
    first = build_kernel(settings, FakeClock())
    first.clock.advance(90)
    now = first.clock.now()
    first.database.close()
    first.log_database.close()
    second = build_kernel(settings, FakeClock())
    assert second.clock.now() == now
    second.database.close()
    second.log_database.close()


def test_a_sleeper_wakes_when_the_clock_is_moved_far_enough(kernel: Kernel) -> None:
    steps: list[str] = []
    begun, woken = threading.Event(), threading.Event()

    def sleeper() -> None:
        begun.set()
        kernel.clock.sleep(LONG_S)
        steps.append("woke")
        woken.set()

    thread = threading.Thread(target=sleeper, daemon=True)
    thread.start()
    assert begun.wait(10)
    kernel.clock.advance(LONG_S / 2)
    steps.append("half")
    # Whether it sleeps already or begins now: an hour more is enough for both.
    kernel.clock.advance(LONG_S)
    assert woken.wait(10)
    assert steps == ["half", "woke"]
    thread.join()


def test_timers_run_in_the_order_in_which_they_are_due(kernel: Kernel) -> None:
    ran: list[int] = []
    last = threading.Event()

    def the_last() -> None:
        ran.append(2)
        last.set()

    kernel.timers.call_later(LONG_S * 2, the_last)
    kernel.timers.call_later(LONG_S, lambda: ran.append(1))
    cancelled = kernel.timers.call_later(LONG_S, lambda: ran.append(0))
    assert cancelled.cancel()
    early = kernel.timers.call_later(LONG_S, lambda: ran.append(3))
    early.fire()
    assert ran == [3]
    kernel.clock.advance(LONG_S * 2)
    assert last.wait(10)
    assert ran == [3, 1, 2]
    assert not early.cancel()
    kernel.timers.stop()


def test_a_timer_that_breaks_holds_up_no_other(kernel: Kernel) -> None:
    after = threading.Event()
    kernel.timers.call_later(1, lambda: 1 / 0)
    kernel.timers.call_later(2, after.set)
    kernel.clock.advance(2)
    assert after.wait(10)
    kernel.timers.stop()


def test_what_waits_at_the_end_never_runs(kernel: Kernel) -> None:
    ran: list[int] = []
    kernel.timers.call_later(LONG_S, lambda: ran.append(1))
    kernel.timers.stop()
    kernel.clock.advance(LONG_S * 2)
    assert ran == []


def test_a_thousand_waiting_coroutines_need_one_thread(kernel: Kernel) -> None:
    before = threading.active_count()

    async def wait_all() -> None:
        waiting = [asyncio.ensure_future(kernel.timers.sleep(LONG_S)) for _ in range(1000)]
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 1
        kernel.clock.advance(LONG_S)
        await asyncio.wait_for(asyncio.gather(*waiting), 20)

    asyncio.run(wait_all())
    kernel.timers.stop()


def test_a_machine_that_goes_on_wakes_timers_too(tmp_path: Path) -> None:
    built = build_kernel(Settings(tmp_path / "cloud"), SystemClock())
    fired = threading.Event()
    built.timers.call_later(0.01, fired.set)
    assert fired.wait(10)
    built.timers.stop()
    built.database.close()
    built.log_database.close()
