"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable

_LIMIT_S, _LOOK_S = 120.0, 0.02


def until(found: Callable[[], object]) -> None:
    """Look again and again until it is so; an AssertionError after two minutes."""
    deadline = time.monotonic() + _LIMIT_S
    while not found():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(_LOOK_S)
