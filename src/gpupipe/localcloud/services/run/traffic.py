"""Which revision serves: from a service's targets to revisions with percentages."""

import random
from typing import Any

from gpupipe.localcloud.services.run import conditions, messages
from gpupipe.localcloud.services.run.store import Store


def missing_target(store: Store, service: Any) -> str | None:
    """The first revision that the traffic names and that is not there, or cannot serve."""
    for target in service.traffic:
        if target.type_ != messages.REVISION:
            continue
        revision = store.revision(f"{service.name}/revisions/{target.revision}")
        if revision is None or not conditions.is_ready(revision):
            return str(target.revision)
    return None


def route(service: Any) -> None:
    """Set the traffic statuses; LATEST is the latest revision that is ready."""
    service.ClearField("traffic_statuses")
    for target in service.traffic:
        service.traffic_statuses.add(
            type_=target.type_, revision=target.revision, percent=target.percent, tag=target.tag
        )


def serving(service: Any) -> dict[str, int]:
    """Names of the revisions that get traffic, with their shares."""
    shares: dict[str, int] = {}
    for status in service.traffic_statuses:
        name = _revision(service, status)
        if name and status.percent:
            shares[name] = shares.get(name, 0) + status.percent
    return shares


def reachable(service: Any) -> frozenset[str]:
    """Names of the revisions that get traffic or have a tag."""
    names = (_revision(service, status) for status in service.traffic_statuses)
    return frozenset(name for name in names if name)


def tagged(service: Any, tag: str) -> str | None:
    """Name of the revision that has a tag."""
    found = (_revision(service, each) for each in service.traffic_statuses if each.tag == tag)
    return next(found, None)


def _revision(service: Any, status: Any) -> str | None:
    if not status.revision:
        return service.latest_ready_revision or None
    return f"{service.name}/revisions/{status.revision}"


def choose(service: Any) -> str | None:
    """The revision for one request, by chance; None when none serves."""
    shares = serving(service)
    if not shares:
        return None
    return random.choices(list(shares), weights=list(shares.values()))[0]  # noqa: S311 - no secret
