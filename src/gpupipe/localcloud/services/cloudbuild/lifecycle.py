"""A build's life: queued, working, ended; cancelled, timed out, gone on with after a restart."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.operations import Progress, Work
from gpupipe.localcloud.services.cloudbuild import messages, rules
from gpupipe.localcloud.services.cloudbuild.builder.job import BuildEndedError, Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine, this_machine
from gpupipe.localcloud.services.cloudbuild.log import BuildLog
from gpupipe.localcloud.services.cloudbuild.store import Builds
from gpupipe.localcloud.services.cloudbuild.worker import FailedError, Outcome, Worker

_DEFAULT_TIMEOUT_S = 3600  # gcp-facts §3
_DEFAULT_QUEUE_S = 3600  # own knowledge
_QUEUE_POLL_S = 0.05
_STOP_S = 10.0
# Codes and words of a failed build's operation are UNSURE; the build itself tells all.
_CODES = {
    messages.CANCELLED: Code.CANCELLED,
    messages.TIMEOUT: Code.DEADLINE_EXCEEDED,
    messages.EXPIRED: Code.DEADLINE_EXCEEDED,
    messages.FAILURE: Code.UNKNOWN,
    messages.INTERNAL_ERROR: Code.INTERNAL,
}


@dataclass(slots=True)
class _Clock:
    """When a build must have begun, and then when it must end, on the injected clock."""

    monotonic: Callable[[], float]
    deadline: float
    works: bool = False

    def begin(self, seconds: float) -> None:
        """It works from now on, for so long at most."""
        self.deadline, self.works = self.monotonic() + seconds, True

    def passed(self) -> bool:
        return self.monotonic() >= self.deadline


class Lifecycle:
    """Runs builds, as many at once as there are slots; the others are queued."""

    def __init__(self, kernel: Kernel, builds: Builds, slots: int) -> None:
        self._kernel = kernel
        self._builds = builds
        self._slots = threading.Semaphore(slots)
        self._idle = threading.Condition()
        self._active = 0
        self._reset = False
        self._machine: Machine | None = None

    def work(self, key: str) -> Work:
        """The work of an operation that runs the build of this key."""

        def run(progress: Progress) -> Any:
            with self._counted():
                return self._run(key, progress)

        return run

    def resume(self, operation: Operation) -> Work | None:
        """Go on, from its source, with a build that a stop has cut off."""
        metadata = messages.Metadata()
        operation.metadata.Unpack(metadata)
        return self.work(self._builds.key(metadata.build))

    def cancel(self, key: str) -> Any:
        """Mark a build as cancelled; its work ends at once after."""
        with self._kernel.database.transaction():
            build = self._builds.get(key)
            if build.status in messages.RUNNING:
                self._end(build, messages.CANCELLED, "The build was cancelled.")
                self._builds.put(build)
        return build

    def stop(self, *, reset: bool = False) -> None:
        """Wait until no build works any more; with `reset`, end them."""
        self._reset = reset
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, _STOP_S)
        self._reset = False

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def _run(self, key: str, progress: Progress) -> Any:
        clock = self._queue_clock(self._builds.get(key))

        def ended() -> bool:
            stopped = progress.cancelled() or self._reset or clock.passed()
            return stopped or self._builds.get(key).status not in messages.RUNNING

        try:
            with self._slot(ended):
                return self._finish(key, progress, self._attempt(key, progress, clock, ended))
        except (BuildEndedError, FailedError) as error:
            raise self._ended(key, progress, clock, error) from error

    def _queue_clock(self, build: Any) -> _Clock:
        """The time that is left in the queue; one that a stop has cut off waits anew."""
        began = self._kernel.clock.monotonic()
        waited = self._kernel.clock.now() - build.create_time.ToDatetime(tzinfo=UTC)
        left = build.queue_ttl.seconds or _DEFAULT_QUEUE_S
        if not build.HasField("start_time"):
            left -= waited.total_seconds()
        return _Clock(self._kernel.clock.monotonic, began + left)

    @contextmanager
    def _slot(self, ended: Callable[[], bool]) -> Iterator[None]:
        while not self._slots.acquire(timeout=_QUEUE_POLL_S):
            if ended():
                raise BuildEndedError
        try:
            yield
        finally:
            self._slots.release()

    def _attempt(
        self, key: str, progress: Progress, clock: _Clock, ended: Callable[[], bool]
    ) -> Outcome:
        build = self._builds.get(key)
        if build.status not in messages.RUNNING:
            raise BuildEndedError
        email, project = rules.account_of(build), key.split("/")[1]
        log = BuildLog(self._kernel, build, project, f"serviceAccount:{email}")
        build.status = messages.WORKING
        build.start_time.FromDatetime(self._kernel.clock.now())
        log.warn(build, email)  # noqa: G010  # our own log
        self._show(build, progress)
        clock.begin(build.timeout.seconds or _DEFAULT_TIMEOUT_S)
        job = Job(log.line, ended)
        job.log(f"starting build {build.id}")
        try:
            worker = Worker(
                self._kernel, self._machine_once(), build, job, lambda part: self._timed(key, part)
            )
            outcome = worker.work()
        except FailedError as error:
            job.log(f"ERROR: {error}")
            raise
        job.log("DONE")
        return outcome

    def _finish(self, key: str, progress: Progress, outcome: Outcome) -> Any:
        with self._kernel.database.transaction():
            build = self._builds.get(key)
            if build.status not in messages.RUNNING:
                raise BuildEndedError
            resolved = build.source_provenance.resolved_storage_source
            resolved.CopyFrom(build.source.storage_source)
            resolved.generation = outcome.generation
            for reference, digest in outcome.digests.items():
                image = build.results.images.add(name=reference, digest=digest)
                image.push_timing.CopyFrom(build.timing["PUSH"])
            self._end(build, messages.SUCCESS, "")
            self._show(build, progress)
        return build

    def _ended(self, key: str, progress: Progress, clock: _Clock, error: Exception) -> ServiceError:
        """The operation's error; the build says why, unless the local cloud only stops."""
        if isinstance(error, BuildEndedError) and (self._kernel.operations.stopping or self._reset):
            return ServiceError(Code.ABORTED, "interrupted: the local cloud stops")
        with self._kernel.database.transaction():
            build = self._builds.get(key)
            if build.status in messages.RUNNING:
                self._describe(build, clock, error)
            self._show(build, progress)
        text = build.status_detail or messages.STATUS_NAMES[build.status]
        return ServiceError(_CODES.get(build.status, Code.UNKNOWN), f"Build {build.id}: {text}")

    def _describe(self, build: Any, clock: _Clock, error: Exception) -> None:
        if isinstance(error, FailedError):
            self._end(build, messages.FAILURE, str(error).partition("\n")[0])
            build.failure_info.type_ = error.kind
            build.failure_info.detail = str(error)
        elif clock.passed() and clock.works:
            self._end(build, messages.TIMEOUT, "The build did not end within its timeout.")
        elif clock.passed():
            self._end(build, messages.EXPIRED, "The build was in the queue longer than queue_ttl.")
        else:
            self._end(build, messages.CANCELLED, "The build was cancelled.")

    def _end(self, build: Any, status: int, detail: str) -> None:
        build.status = status
        build.status_detail = detail
        build.finish_time.FromDatetime(self._kernel.clock.now())
        build.steps[0].status = status

    def _show(self, build: Any, progress: Progress) -> None:
        self._builds.put(build)
        progress.update(messages.Metadata(build=build))

    @contextmanager
    def _timed(self, key: str, part: str) -> Iterator[None]:
        began = self._kernel.clock.now()
        yield
        with self._kernel.database.transaction():
            build = self._builds.get(key)
            build.timing[part].start_time.FromDatetime(began)
            build.timing[part].end_time.FromDatetime(self._kernel.clock.now())
            self._builds.put(build)

    def _machine_once(self) -> Machine:
        if self._machine is None:
            self._machine = this_machine(os.environ, self._kernel.settings.layers)
        return self._machine
