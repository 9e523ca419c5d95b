"""What the device did lately, as one log entry at a time.

Contract: while there is work, an entry `batches` every PERIOD_S at most, when a batch has ended; `flush`
writes the rest. Its fields are the number of batches, their rows, the largest one, milliseconds that
the device worked and that rows waited for it (the longest, and the mean over batches), and requests
that were refused because the queue was full. An entry for each request would cost more than it tells.
"""

import logging
from dataclasses import dataclass

from common.clock import Clock

PERIOD_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sums:
    batches: int = 0
    rows: int = 0
    largest: int = 0
    device_s: float = 0.0
    queue_s: float = 0.0
    longest_queue_s: float = 0.0
    refused: int = 0


class Meter:
    """Adds up; used from one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sums = _Sums()
        self._told = clock.monotonic()

    def batch(self, rows: int, queue_s: float, device_s: float) -> None:
        """A batch that has ended; `queue_s` is how long its first row had waited."""
        now, sums = self._clock.monotonic(), self._sums
        sums.batches += 1
        sums.rows += rows
        sums.largest = max(sums.largest, rows)
        sums.device_s += device_s
        sums.queue_s += queue_s
        sums.longest_queue_s = max(sums.longest_queue_s, queue_s)
        if now - self._told >= PERIOD_S:
            self.flush()

    def refused(self) -> None:
        """A request that found the queue full."""
        self._sums.refused += 1

    def flush(self) -> None:
        """Writes what has come together, if anything has."""
        sums, self._sums = self._sums, _Sums()
        self._told = self._clock.monotonic()
        if not sums.batches and not sums.refused:
            return
        fields = {
            "batches": sums.batches,
            "rows": sums.rows,
            "mean_batch": round(sums.rows / max(1, sums.batches), 2),
            "largest_batch": sums.largest,
            "device_ms": round(sums.device_s * 1000, 1),
            "mean_queue_ms": round(sums.queue_s * 1000 / max(1, sums.batches), 1),
            "longest_queue_ms": round(sums.longest_queue_s * 1000, 1),
            "refused": sums.refused,
        }
        _log.info("batches", extra={"fields": fields})
