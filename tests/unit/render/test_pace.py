"""How far many files are, on one line."""

import io

import pytest
from rich.console import Console
from tests.support.clock import FakeClock

from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import Outcome, Sent
from gpupipe.deploy.tally import Tally
from gpupipe.render.pace import Pace, duration, pace
from gpupipe.render.tally import print_tally, tally_json

SENT = Sent("a", Object("in", "a", 7, 1, None), 0.0)


def test_speed_and_time_left_are_those_of_the_last_half_of_the_time() -> None:
    clock = FakeClock()
    found = Pace(clock, 2000, "sent")
    assert str(found) == "sent 0, done 0 of 2,000"
    for _ in range(100):
        found.begin()
        found.end("succeeded")
        clock.advance(1)
        str(found)
    for _ in range(100):
        for state in ["succeeded"] * 9 + ["failed"]:
            found.end(state)
        clock.advance(1)
        str(found)
    assert str(found) == (
        "sent 100, done 1,100 of 2,000 (100 failed), 10.0 a second, about 90 s left"
    )


def test_what_comes_in_bursts_has_an_even_speed() -> None:
    clock, told = FakeClock(), []
    found = Pace(clock, 2000, "sent")
    for _ in range(10):
        clock.advance(45)
        for _ in range(100):
            found.end("succeeded")
            told.append(str(found))
    rates = [float(one.split(", ")[-2].split()[0]) for one in told[200:]]
    assert 1 < min(rates) < 1000 / 450 < max(rates) < 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (125, "2 min"), (3599, "60 min"), (7500, "2 h 05 min")],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_without_a_terminal_a_line_every_ten_seconds() -> None:
    clock, out = FakeClock(), io.StringIO()
    with pace(Console(file=out, width=40), clock, 50, "sent") as view:
        for _ in range(25):
            view.begin()
            view.end(Outcome(SENT, "succeeded"))
            clock.advance(1)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("sent 11, done 10 of 50, ") or lines[0].startswith("sent 11, done 1")


def tally() -> Tally:
    found = Tally()
    for _ in range(1500):
        found.add(Outcome(SENT, "succeeded", "positive", 0.9, {"upload": 0.25}))
    for _ in range(5):
        found.add(Outcome(SENT, "failed", error_class="input", reason="not [text]"))
    return found


def test_the_summary_for_people() -> None:
    out = io.StringIO()
    print_tally(Console(file=out, width=60), "out-bucket", tally(), 100.0)
    text = out.getvalue()
    assert "1,505 files in 100.0 s, 15.1 a second" in text
    assert "    1,500 succeeded\n        5 failed" in text
    assert "labels: positive 1,500" in text
    assert "upload               0.25 s  0.25 s" in text
    assert "5 times input: not [text]\n  a, a, a, …" in text


def test_the_summary_for_programs() -> None:
    assert tally_json(tally(), 100.0) == {
        "files": 1505,
        "seconds": 100.0,
        "files_per_second": 15.05,
        "states": {"succeeded": 1500, "failed": 5},
        "labels": {"positive": 1500},
        "stages": {"upload": {"median": 0.25, "p95": 0.25}},
        "reasons": [
            {"class": "input", "reason": "not [text]", "count": 5, "examples": ["a", "a", "a"]}
        ],
    }
