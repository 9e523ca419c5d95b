"""The room in a region: what all its instances take of a quota together may not exceed it.

An instance counts from its start until it is told to stop, whichever service and revision it is of.
"""

import threading
from collections.abc import Callable, Iterable

from gpupipe.localcloud.runner.revision import RunnableRevision

# Project, region and id of a quota to the limit in force.
Limit = Callable[[str, str, str], int]
# Revisions, and how many instances of each run or start now.
Usage = Callable[[], Iterable[tuple[RunnableRevision, int]]]


class NoRoomError(Exception):
    """A quota has no room for one more instance."""

    def __init__(self, quota: str) -> None:
        super().__init__(quota)
        self.quota = quota


class Room:
    """Lets instances start one after the other, each if every quota has room for it."""

    def __init__(self, limit: Limit, usage: Usage) -> None:
        self._limit = limit
        self._usage = usage
        self._lock = threading.Lock()

    def check(self, revision: RunnableRevision, count: int = 1) -> None:
        """Raise NoRoomError when so many more instances of a revision do not fit."""
        for quota, amount in revision.allocation.items():
            limit = self._limit(revision.project, revision.region, quota)
            if self._used(revision, quota) + count * amount > limit:
                raise NoRoomError(quota)

    def take(self, revision: RunnableRevision, start: Callable[[], None]) -> None:
        """Start one more instance of a revision; NoRoomError when it does not fit."""
        with self._lock:
            self.check(revision)
            start()

    def _used(self, near: RunnableRevision, quota: str) -> int:
        place = (near.project, near.region)
        return sum(
            count * revision.allocation.get(quota, 0)
            for revision, count in self._usage()
            if (revision.project, revision.region) == place
        )
