"""Conditions of services and revisions, as a recorded service showed them."""

from datetime import datetime
from typing import Any

from gpupipe.localcloud.services.run import messages

CONFIGURATIONS, ROUTES, READY = "ConfigurationsReady", "RoutesReady", "Ready"
HEALTHY, RESOURCES, CONTAINER = "ContainerHealthy", "ResourcesAvailable", "ContainerReady"
_OF_REVISION = (HEALTHY, RESOURCES, CONTAINER, "Active")


def succeeded(kind: str, now: datetime) -> Any:
    """A condition that holds."""
    condition = messages.Condition(type_=kind, state=messages.SUCCEEDED)
    condition.last_transition_time.FromDatetime(now)
    return condition


def failed(kind: str, message: str, now: datetime, **reason: int) -> Any:
    """A condition that does not hold, and why."""
    condition = messages.Condition(
        type_=kind, state=messages.FAILED, message=message, severity=1, **reason
    )
    condition.last_transition_time.FromDatetime(now)
    return condition


def begin(resource: Any) -> None:
    """The state in which the first answer of a write shows a service."""
    resource.reconciling = True
    resource.ClearField("conditions")
    resource.terminal_condition.Clear()
    resource.terminal_condition.state = messages.PENDING


def service_ready(service: Any, now: datetime) -> None:
    """All is well."""
    _end(service, succeeded(READY, now), [succeeded(ROUTES, now), succeeded(CONFIGURATIONS, now)])


def service_failed(service: Any, message: str, now: datetime) -> None:
    """The newest revision failed; routes are ready when an older one serves."""
    reason = {"reason": messages.REVISION_FAILED}
    routes = (
        succeeded(ROUTES, now)
        if service.latest_ready_revision
        else failed(ROUTES, message, now, **reason)
    )
    ready = failed(READY, message, now, **reason)
    _end(service, ready, [routes, failed(CONFIGURATIONS, message, now, **reason)])


def revision_ready(revision: Any, now: datetime) -> None:
    """The revision can serve."""
    kinds = (READY, *_OF_REVISION)
    _finish(revision, [succeeded(kind, now) for kind in kinds])


def routes_failed(service: Any, message: str, now: datetime) -> None:
    """The newest revision is ready, but the traffic asks for one that is not there."""
    routes, ready = (failed(kind, message, now) for kind in (ROUTES, READY))
    _end(service, ready, [routes, succeeded(CONFIGURATIONS, now)])


def revision_failed(revision: Any, kind: str, message: str, now: datetime, **reason: int) -> None:
    """The revision cannot serve: what is wrong (`kind`); `reason` is a field of Condition."""
    kinds = (READY, kind)
    _finish(revision, [failed(kind, message, now, **reason) for kind in kinds])


def is_ready(revision: Any) -> bool:
    """Whether a revision can serve."""
    return any(c.type_ == READY and c.state == messages.SUCCEEDED for c in revision.conditions)


def failure(revision: Any) -> str:
    """Why a revision cannot serve; "" where it can, or may yet."""
    failed = (c for c in revision.conditions if c.type_ == READY and c.state == messages.FAILED)
    return next((str(condition.message) for condition in failed), "")


def _end(service: Any, terminal: Any, conditions: list[Any]) -> None:
    service.terminal_condition.CopyFrom(terminal)
    _finish(service, conditions)


def _finish(resource: Any, conditions: list[Any]) -> None:
    resource.reconciling = False
    resource.observed_generation = resource.generation
    resource.ClearField("conditions")
    resource.conditions.extend(conditions)
