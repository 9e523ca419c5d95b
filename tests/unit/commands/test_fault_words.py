"""The words of `gpupipe local fault add`, read and written."""

from typing import Any

import pytest

from gpupipe.commands._durations import seconds
from gpupipe.commands._fault_words import describe, parse
from gpupipe.core.errors import UsageError

METHOD = "run.services.create"
DUPLICATE = {"kind": "duplicate", "method": "eventarc.events.deliver"}

WORDS: dict[str, dict[str, Any]] = {
    f"{METHOD}:503": {"kind": "error", "code": "UNAVAILABLE", "times": 1},
    f"{METHOD}:503 x2": {"kind": "error", "code": "UNAVAILABLE", "times": 2},
    f"{METHOD}:already_exists": {"kind": "error", "code": "ALREADY_EXISTS", "times": 1},
    f"{METHOD}:429 retry-after 3s x4": {
        "kind": "error", "code": "RESOURCE_EXHAUSTED", "retry_after_s": 3.0, "times": 4,
    },
    f"{METHOD} lost": {"kind": "lost", "times": 1},
    f"{METHOD} lost 500 x3": {"kind": "lost", "code": "INTERNAL", "times": 3},
    f"{METHOD} stall 20s": {"kind": "stall", "seconds": 20.0, "times": 1},
    f"{METHOD} reset x2": {"kind": "reset", "times": 2},
    f"{METHOD} slow 1m30s": {"kind": "slow", "seconds": 90.0, "times": 1},
    f"{METHOD} operation 500": {"kind": "operation", "code": "INTERNAL", "times": 1},
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "event duplicate": DUPLICATE | {"times": 1},
    "event duplicate x5": DUPLICATE | {"times": 5},
    "propagation 90s": {"kind": "propagation", "seconds": 90.0},
    "agent eventarc missing": {"kind": "agent", "api": "eventarc.googleapis.com", "project": "p1"},
}
ALL = {words: {"method": METHOD, **fault} for words, fault in WORDS.items()} | OTHERS


@pytest.mark.parametrize("words", ALL)
def test_each_form_is_read(words: str) -> None:
    assert parse(words, "p1") == ALL[words]


@pytest.mark.parametrize("words", ALL)
def test_what_is_shown_can_be_typed_again(words: str) -> None:
    fault = parse(words, "p1")
    assert parse(describe(fault), "p1") == fault


@pytest.mark.parametrize(
    "words",
    [
        "",
        METHOD,
        f"{METHOD}:",
        f"{METHOD}:600",
        f"{METHOD}:502",
        f"{METHOD}:503 x",
        f"{METHOD}:503 twice",
        f"{METHOD}:503 retry-after",
        f"{METHOD}:503 x2 retry-after 3s",
        f"{METHOD} stall",
        f"{METHOD} stall soon",
        f"{METHOD} slow 0s",
        f"{METHOD}:503 x0",
        "event duplicate x0",
        f"{METHOD} operation",
        f"{METHOD} explode",
        "propagation",
        "propagation -1s",
        "agent eventarc",
        "event",
        "x2",
    ],
)
def test_anything_else_is_refused_with_what_to_do(words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(words, "p1")
    assert refused.value.resolution


@pytest.mark.parametrize(
    ("words", "expected"),
    [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172_800), ("1.5", 1.5), ("0s", 0)],
)
def test_durations(words: str, expected: float) -> None:
    assert seconds(words) == expected


@pytest.mark.parametrize("words", ["", "s", "1 s", "-1s", "1x", "1s2", "inf", "nan", "1e3"])
def test_what_is_no_duration_is_refused(words: str) -> None:
    with pytest.raises(UsageError):
        seconds(words)
