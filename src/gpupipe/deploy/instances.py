"""How many instances of a service worked at the same time, and on how many requests, as log lines tell.

An instance is known by its label on every line. It began to work with its first line and did so
until its last one at least, so what is counted is never more than there were. That it has ended is
known from what its server says last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from gpupipe.deploy.logs import Line

_LAST_WORDS = ("Application shutdown complete", "Finished server process")


@dataclass(slots=True)
class _Life:
    first: datetime
    last: datetime
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Instances:
    """Of one service: how many were seen, at most at once, and how many have not ended.

    requests: how many were under way at once, at most.
    """

    seen: int
    at_once: int
    alive: int
    requests: int = 0


def count(lines: Iterable[Line]) -> Mapping[str, Instances]:
    """Service -> its instances."""
    lives: dict[str, dict[str, _Life]] = {}
    took: dict[str, list[tuple[datetime, datetime]]] = {}
    for line in lines:
        if latency := str(line.entry.request.get("latency", "")).removesuffix("s"):
            span = timedelta(seconds=float(latency))
            took.setdefault(line.source, []).append((line.entry.time - span, line.entry.time))
        name = line.entry.labels.get("instanceId")
        if not name:
            continue
        time = line.entry.time
        life = lives.setdefault(line.source, {}).setdefault(name, _Life(time, time))
        life.first, life.last = min(life.first, time), max(life.last, time)
        life.ended = life.ended or line.entry.text.startswith(_LAST_WORDS)
    return {
        service: replace(_counted(list(found.values())), requests=_most(took.get(service, ())))
        for service, found in lives.items()
    }


def _most(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """How many of these overlap at most."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    return max(accumulate((step for _, step in edges), initial=0))


def _counted(lives: Sequence[_Life]) -> Instances:
    return Instances(
        seen=len(lives),
        at_once=max(
            sum(one.first <= moment.first <= one.last for one in lives) for moment in lives
        ),
        alive=sum(not one.ended for one in lives),
    )
