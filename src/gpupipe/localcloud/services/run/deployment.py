"""The work behind the operations: make a revision, prove that it starts, move traffic; or delete.

A service whose new revision fails keeps serving with its last ready one. Work is idempotent: after
a restart it goes on from what the rows say.
"""

import threading
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from google.longrunning import operations_pb2

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.operations import Progress, Work
from gpupipe.localcloud.runner.instance import StartError
from gpupipe.localcloud.runner.pool import NoInstanceError, Pool
from gpupipe.localcloud.runner.room import NoRoomError
from gpupipe.localcloud.services.run import conditions, messages, traffic
from gpupipe.localcloud.services.run.fleet import Fleet, ImageDeniedError, ImageMissingError
from gpupipe.localcloud.services.run.quotas import no_room_to_deploy
from gpupipe.localcloud.services.run.revisions import is_of_template, of_template
from gpupipe.localcloud.services.run.store import Store
from gpupipe.localcloud.services.run.uri import present

_KEPT = timedelta(days=30)
# The texts are recorded ones. Their codes: FAILED_PRECONDITION is recorded for a container that does
# not listen; for images and quotas they are UNSURE.
_NOT_LISTENING = (
    "The user-provided container failed to start and listen on the port defined provided by the "
    "PORT={port} environment variable within the allocated timeout."
)
_PROBE_FAILED = "The user-provided container failed the configured startup probe checks."
_NO_TARGET = (
    "Revision '{name}' does not exist or is deleted. "
    "Update all traffic to route to currently available revisions."
)


class _RevisionError(Exception):
    """A revision that cannot serve: which of its conditions fails, why, and the operation's code."""

    def __init__(self, kind: str, text: str, code: Code, **reason: int) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.code = code
        self.reason = reason


class Deployments:
    """Brings services to what their rows ask for; one deployment of a service at a time."""

    def __init__(self, kernel: Kernel, store: Store, fleet: Fleet) -> None:
        self._kernel = kernel
        self._store = store
        self._fleet = fleet
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def deploy(self, name: str) -> Work:
        """The work of a create or update."""

        def work(progress: Progress) -> Any:
            with self._locks[name]:
                return self._deploy(name, progress)

        return work

    def remove(self, name: str) -> Work:
        """The work of a delete; a deployment that still waits for its instance gives up."""

        def work(_: Progress) -> Any:
            self._drop_all(name)
            with self._locks[name]:
                return self._remove(name)

        return work

    def resume(self, operation: operations_pb2.Operation) -> Work | None:
        """What an operation that a restart interrupted goes on with."""
        service = messages.Service()
        operation.metadata.Unpack(service)
        current = self._store.service(service.name)
        if current is None:
            return None
        return self.remove(current.name) if is_deleting(current) else self.deploy(current.name)

    def _deploy(self, name: str, progress: Progress) -> Any:
        service = self._current(name)
        if not service.reconciling:
            return present(self._kernel, service)
        revision = self._revision(service)
        progress.update(present(self._kernel, self._current(name)))
        told = conditions.failure(revision)
        if told:
            self._not_ready(service, told)
            raise failed_precondition(told)
        try:
            self._start(service, revision)
        except _RevisionError as error:
            raise self._failed(revision, error) from error
        return self._succeeded(revision)

    def _revision(self, service: Any) -> Any:
        """The revision of the template: the latest one, or a new one.

        A template that stays makes no new revision, also where the one that it made has failed: that
        is how Knative's services work, which Cloud Run's are.
        """
        latest = self._store.revision(service.latest_created_revision)
        if latest is not None and is_of_template(latest, service):
            return latest
        revision = of_template(service, self._kernel.clock.now())
        with self._kernel.database.transaction():
            self._store.put_revision(revision)
            current = self._current(service.name)
            current.latest_created_revision = revision.name
            self._store.put_service(current)
        return revision

    def _start(self, service: Any, revision: Any) -> None:
        """Wait until one instance of a revision that is not known to be ready has started."""
        if conditions.is_ready(revision):
            return
        pool = self._pool(service, revision)
        if is_deleting(self._current(service.name)):
            self._fleet.drop(revision.name)
        try:
            self._fleet.make_room(pool)
            pool.release(pool.acquire().result())
        except NoRoomError as error:
            text = no_room_to_deploy(error.quota)
            raise _RevisionError(conditions.RESOURCES, text, Code.FAILED_PRECONDITION) from error
        except NoInstanceError as error:
            raise ServiceError(Code.ABORTED, "The deployment was interrupted.") from error
        except StartError as error:
            raise _not_started(revision, error) from error

    def _pool(self, service: Any, revision: Any) -> Pool:
        try:
            return self._fleet.pool(service, revision)
        except ImageMissingError as error:
            text = f"Image '{error}' not found."
            reason = messages.CONTAINER_MISSING
            raise _RevisionError(
                conditions.CONTAINER, text, Code.NOT_FOUND, reason=reason
            ) from error
        except ImageDeniedError as error:
            reason = messages.CONTAINER_DENIED
            raise _RevisionError(
                conditions.CONTAINER, str(error), Code.PERMISSION_DENIED, reason=reason
            ) from error

    def _failed(self, revision: Any, error: _RevisionError) -> ServiceError:
        now = self._kernel.clock.now()
        short = revision.name.rpartition("/")[2]
        message = f"Revision '{short}' is not ready and cannot serve traffic. {error.text}"
        with self._kernel.database.transaction():
            service = self._current(revision.name.rpartition("/revisions/")[0])
            conditions.revision_failed(revision, error.kind, message, now, **error.reason)
            self._store.put_revision(revision)
            if is_of_template(revision, service):
                self._not_ready(service, message)
        self._fleet.drop(revision.name)
        return ServiceError(error.code, message)

    def _not_ready(self, service: Any, message: str) -> None:
        """The newest revision cannot serve; the traffic goes all the same where it is wanted."""
        with self._kernel.database.transaction():
            conditions.service_failed(service, message, self._kernel.clock.now())
            if traffic.missing_target(self._store, service) is None:
                traffic.route(service)
            self._store.put_service(service)
        self._fleet.settle(service)

    def _succeeded(self, revision: Any) -> Any:
        now = self._kernel.clock.now()
        with self._kernel.database.transaction():
            service = self._current(revision.name.rpartition("/revisions/")[0])
            service.latest_ready_revision = revision.name
            conditions.revision_ready(revision, now)
            self._store.put_revision(revision)
            missing = traffic.missing_target(self._store, service)
            if missing is None:
                traffic.route(service)
            # An update that came meanwhile has work of its own, which says how it ends.
            if is_of_template(revision, service):
                _end(service, missing, now)
            service.update_time.FromDatetime(now)
            self._store.put_service(service)
        self._fleet.settle(service)
        if missing is not None:
            raise failed_precondition(_NO_TARGET.format(name=missing))
        return present(self._kernel, service)

    def _remove(self, name: str) -> Any:
        service = self._current(name)
        revisions = list(self._store.revisions(name))
        with self._kernel.database.transaction():
            service.reconciling = False
            service.terminal_condition.Clear()
            for revision in revisions:
                self._store.delete_revision(revision.name)
            self._kernel.policies.delete(name)
            self._store.delete_service(service)
        for revision in revisions:
            self._fleet.drop(revision.name)
        return service

    def _drop_all(self, name: str) -> None:
        for revision in self._store.revisions(name):
            self._fleet.drop(revision.name)

    def _current(self, name: str) -> Any:
        service = self._store.service(name)
        if service is None:
            raise ServiceError(Code.ABORTED, f"Service '{name}' was deleted meanwhile.")
        return service


def is_deleting(service: Any) -> bool:
    """Whether a delete has begun."""
    return bool(service.HasField("delete_time"))


def begin_delete(service: Any, kernel: Kernel) -> None:
    """Mark a service as one that is being deleted; it can be seen for 30 days after."""
    now = kernel.clock.now()
    service.delete_time.FromDatetime(now)
    service.expire_time.FromDatetime(now + _KEPT)
    conditions.begin(service)


def _end(service: Any, missing: str | None, now: datetime) -> None:
    if missing is None:
        conditions.service_ready(service, now)
    else:
        conditions.routes_failed(service, _NO_TARGET.format(name=missing), now)


def _not_started(revision: Any, error: StartError) -> _RevisionError:
    """Google's words, then what this machine saw: why, and the last lines of the log."""
    container = revision.containers[0]
    if container.startup_probe.HasField("http_get") and not error.exited:
        text = _PROBE_FAILED
    else:
        text = _NOT_LISTENING.format(port=container.ports[0].container_port)
    text = f"{text} {error.reason}"
    if error.tail:
        text += "\nLast lines of the log:\n" + "\n".join(error.tail)
    return _RevisionError(
        conditions.HEALTHY,
        text,
        Code.FAILED_PRECONDITION,
        revision_reason=messages.HEALTH_CHECK_ERROR,
    )
