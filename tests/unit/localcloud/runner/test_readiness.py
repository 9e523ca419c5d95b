"""The startup probe counts failures, not seconds that went by unseen."""

import http.server
import itertools
import threading
from collections.abc import Iterator

import pytest

from gpupipe.localcloud.runner.readiness import wait_until_started
from gpupipe.localcloud.runner.revision import StartupProbe

READY_AT = 3


class Server(http.server.ThreadingHTTPServer):
    """Answers 503, and 200 from the third question on."""

    asked = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200 if self.server.asked >= READY_AT else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def jumps() -> Iterator[float]:
    """A machine that was asleep for an hour between any two looks at the clock."""
    return itertools.count(0.0, 3600.0)


def probe(failures: int) -> StartupProbe:
    return StartupProbe(path="/ready", timeout_s=1, period_s=1, failure_threshold=failures)


def test_time_that_nobody_could_use_does_not_count(server: Server) -> None:
    clock = jumps()
    started = wait_until_started(
        probe(READY_AT), server.server_port, threading.Event(), lambda: next(clock)
    )
    assert started


def test_it_is_given_up_after_so_many_failures(server: Server) -> None:
    clock = jumps()
    started = wait_until_started(
        probe(READY_AT - 1), server.server_port, threading.Event(), lambda: next(clock)
    )
    assert not started
    assert server.asked == READY_AT - 1


def test_questions_within_a_period_are_one_failure(server: Server) -> None:
    started = wait_until_started(probe(1), server.server_port, threading.Event(), lambda: 0.0)
    assert started


def test_an_instance_that_ended_is_not_asked(server: Server) -> None:
    ended = threading.Event()
    ended.set()
    assert not wait_until_started(probe(1), server.server_port, ended)
    assert server.asked == 0
