"""How far many files are: counts, files a second and the time that is left, on one line."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from gpupipe.core.clock import Clock
from gpupipe.deploy.follow import Outcome
from gpupipe.render.console import say

_TOLD_EVERY_S = 10.0
_WINDOW_S = 30.0
_SAMPLE_S = 1.0
_MINUTE_S, _HOUR_S = 60, 3600


class Pace:
    """Takes counts in. The speed is that of the last half of the time, and of half a minute at least.

    What comes out is told in bursts, when it was looked for; a short time would be all burst or all pause.
    """

    def __init__(self, clock: Clock, total: int | None, begun: str) -> None:
        """total: None where it is not known; begun: the word for a file that is on its way ("sent")."""
        self._clock = clock
        self._total = total
        self._word = begun
        self._begun = 0
        self._done = 0
        self._failed = 0
        self._start = clock.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._start, 0)])

    def begin(self) -> None:
        """One more file is on its way."""
        self._begun += 1

    def end(self, state: str) -> None:
        """One more file has an outcome."""
        self._done += 1
        self._failed += state in {"failed", "unsent"}

    def __str__(self) -> str:
        rate = self._rate()
        failed = f" ({self._failed:,} failed)" if self._failed else ""
        total = "" if self._total is None else f" of {self._total:,}"
        line = f"{self._word} {self._begun:,}, done {self._done:,}{total}{failed}"
        if not rate:
            return line
        line += f", {rate:.1f} a second"
        if self._total is None:
            return line
        return f"{line}, about {duration((self._total - self._done) / rate)} left"

    def __rich_console__(self, _: Console, __: ConsoleOptions) -> RenderResult:
        yield Text(str(self), style="dim", no_wrap=True, overflow="ellipsis")

    def _rate(self) -> float:
        now = self._clock.monotonic()
        if now - self._samples[-1][0] >= _SAMPLE_S:
            self._samples.append((now, self._done))
        window = max(_WINDOW_S, (now - self._start) / 2)
        while len(self._samples) > 1 and now - self._samples[1][0] >= window:
            self._samples.popleft()
        then, done = self._samples[0]
        return (self._done - done) / (now - then) if now > then else 0.0


def duration(seconds: float) -> str:
    """A time for people: "40 s", "3 min", "2 h 05 min"."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    hours, rest = divmod(round(seconds / _MINUTE_S), _MINUTE_S)
    return f"{hours} h {rest:02} min"


class PaceView:
    """Shows a pace: in place on a terminal, elsewhere a line every ten seconds."""

    def __init__(self, console: Console, clock: Clock, pace: Pace, live: Live | None) -> None:
        self._console = console
        self._clock = clock
        self._pace = pace
        self._live = live
        self._told = clock.monotonic()

    def begin(self) -> None:
        """One more file is on its way."""
        self._pace.begin()
        self._tell()

    def end(self, outcome: Outcome) -> None:
        """One more file has an outcome."""
        self._pace.end(outcome.state)
        self._tell()

    def _tell(self) -> None:
        now = self._clock.monotonic()
        if self._live is None and now - self._told >= _TOLD_EVERY_S:
            self._told = now
            say(self._console, str(self._pace))


@contextmanager
def pace(console: Console, clock: Clock, total: int | None, begun: str) -> Iterator[PaceView]:
    """A view while the block runs."""
    counts = Pace(clock, total, begun)
    if not console.is_terminal:
        yield PaceView(console, clock, counts, None)
        return
    with Live(counts, console=console, refresh_per_second=4, transient=True) as live:
        yield PaceView(console, clock, counts, live)
