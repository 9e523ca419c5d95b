"""How many instances of a service worked at the same time, as their log lines tell.

An instance is known by its label on every line. It began to work with its first line and did so
until its last one at least, so what is counted is never more than there were. That it has ended is
known from what its server says last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpupipe.deploy.logs import Line

_LAST_WORDS = ("Application shutdown complete", "Finished server process")


@dataclass(slots=True)
class _Life:
    first: datetime
    last: datetime
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Instances:
    """Of one service: how many were seen, at most at once, and how many have not ended."""

    seen: int
    at_once: int
    alive: int


def count(lines: Iterable[Line]) -> Mapping[str, Instances]:
    """Service -> its instances."""
    lives: dict[str, dict[str, _Life]] = {}
    for line in lines:
        name = line.entry.labels.get("instanceId")
        if not name:
            continue
        time = line.entry.time
        life = lives.setdefault(line.source, {}).setdefault(name, _Life(time, time))
        life.first, life.last = min(life.first, time), max(life.last, time)
        life.ended = life.ended or line.entry.text.startswith(_LAST_WORDS)
    return {service: _counted(list(found.values())) for service, found in lives.items()}


def _counted(lives: Sequence[_Life]) -> Instances:
    return Instances(
        seen=len(lives),
        at_once=max(
            sum(one.first <= moment.first <= one.last for one in lives) for moment in lives
        ),
        alive=sum(not one.ended for one in lives),
    )
