"""Every revision's pool of instances in one daemon, and the heartbeat that scales them."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from gpupipe.core.clock import Clock
from gpupipe.localcloud.runner.instance import Identity, LogSink, ProcessInstances
from gpupipe.localcloud.runner.pool import Pool, Scaling
from gpupipe.localcloud.runner.process import GRACE_S
from gpupipe.localcloud.runner.revision import RunnableRevision
from gpupipe.localcloud.runner.room import Limit, Room

_HEARTBEAT_S = 1.0


class Supervisor:
    """Pools by the revision's resource name; all ends with `stop`."""

    def __init__(
        self,
        folder: Path,
        daemon_http: Callable[[], str],
        clock: Clock,
        log: LogSink,
        limit: Limit,
        scaling: Scaling | None = None,
    ) -> None:
        # What instances of an earlier daemon left: they ended with it.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        self._clock = clock
        self._scaling = scaling or Scaling()
        self._instances = ProcessInstances(folder, daemon_http, log)
        self._pools: dict[str, Pool] = {}
        self._leaving: list[Pool] = []
        self.room = Room(limit, lambda: tuple((pool.revision, pool.count) for pool in self.pools()))
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="run-scaling", daemon=True)

    def start(self) -> None:
        """Scale with time."""
        self._heartbeat.start()

    def pool(self, revision: RunnableRevision) -> Pool:
        """The revision's pool, made when there is none (instances start with need)."""
        with self._lock:
            pool = self._pools.get(revision.key)
            if pool is None:
                pool = Pool(revision, self._instances, self.room, self._clock, self._scaling)
                self._pools[revision.key] = pool
                if self._stopped.is_set():
                    pool.retire()
            return pool

    def existing(self, key: str) -> Pool | None:
        """The pool of a revision that has been used since the daemon's start."""
        return self._pools.get(key)

    def pools(self) -> tuple[Pool, ...]:
        """Every pool that there is now."""
        return tuple(self._pools.values())

    def measured(self) -> tuple[Pool, ...]:
        """Every pool, also those that still end: each of these until it was seen without instances."""
        with self._lock:
            found = (*self._pools.values(), *self._leaving)
            self._leaving = [pool for pool in self._leaving if sum(pool.counts())]
        return found

    def retire(self, key: str) -> None:
        """The revision gets no more traffic: its instances end with their requests."""
        pool = self._take(key)
        if pool is not None:
            pool.retire()

    def drop(self, key: str) -> None:
        """The revision is gone: end its instances now."""
        pool = self._take(key)
        if pool is not None:
            pool.stop()

    def identity(self, secret: str) -> Identity | None:
        """The living instance that a metadata path belongs to."""
        return self._instances.identity(secret)

    def tick(self) -> None:
        """Scale every pool by the clock's present time."""
        for pool in self.pools():
            pool.tick()

    def stop(self) -> bool:
        """End every instance and wait for it; False when one was still there after the grace."""
        self._stopped.set()
        return self.drop_all()

    def drop_all(self) -> bool:
        """End every instance of every pool and wait for it."""
        for key in tuple(self._pools):
            self.drop(key)
        return self.wait_until_gone(GRACE_S + 5)

    def wait_until_gone(self, timeout_s: float) -> bool:
        """Wait until every instance that is there now has ended."""
        return self._instances.wait_for_all(timeout_s)

    def _take(self, key: str) -> Pool | None:
        with self._lock:
            pool = self._pools.pop(key, None)
            if pool is not None:
                self._leaving.append(pool)
            return pool

    def _beat(self) -> None:
        while not self._stopped.wait(_HEARTBEAT_S):
            self.tick()
