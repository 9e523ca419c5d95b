"""The cost of a pipeline that is configured, and of one that is there: what `gpupipe cost` tells."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import fmean

from gpupipe.cloud import run
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.core.prices import Prices, prices
from gpupipe.deploy.canary import PREFIX
from gpupipe.deploy.capacity import DEFAULT_MAX, max_instances
from gpupipe.deploy.costs import (
    ELSEWHERE,
    Cost,
    ServiceCost,
    change,
    cost_of,
    files_cost,
    second_of,
    total,
    warnings,
)
from gpupipe.deploy.planner import Plan
from gpupipe.deploy.step import World

_EXECUTIONS = 50
_LATER = (
    "Quotas are read again when the APIs are enabled: a max_instances that nobody set is lowered to what "
    "they allow, and the cost at worst with it."
)


@dataclass(frozen=True, slots=True)
class Actual:
    """What a service's instances were billed for since it was made; why: "" or why it is not known."""

    service: str
    since: datetime
    seconds: float
    cost: Cost
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """seconds_of_file: how long a file takes, measured or given; None: not known."""

    prices: Prices
    services: tuple[ServiceCost, ...]
    files: Cost | None
    seconds_of_file: Decimal | None
    actual: tuple[Actual, ...]
    warnings: tuple[str, ...]

    @property
    def idle_month(self) -> Cost:
        """A month without any file."""
        return total(one.idle_month for one in self.services)

    @property
    def worst_hour(self) -> Cost:
        """An hour with every service at its maximum."""
        return total(one.worst_hour for one in self.services)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """What is paid for besides, without a known price."""
        return ELSEWHERE


def report(world: World, seconds_of_file: Decimal | None) -> Report:
    """The report. What may not be read is left out as not known."""
    table, wanted = prices(world.spec.names.region), _wanted(world)
    services = tuple(cost_of(name, one, table) for name, one in wanted.items())
    seconds = _measured(world) if seconds_of_file is None else seconds_of_file
    return Report(
        prices=table,
        services=services,
        files=None if seconds is None else files_cost(services, seconds),
        seconds_of_file=seconds,
        actual=tuple(_actual(world, table)),
        warnings=warnings(wanted, table),
    )


def plan_notes(world: World, plan: Plan) -> tuple[str, ...]:
    """What a plan does to the cost, and what of it is dearer than it need be."""
    table = prices(world.spec.names.region)
    before = {
        name: seen[0].service
        for name in SERVICES
        if isinstance(seen := plan.observed.get(f"service:{name}"), tuple)
    }
    after = _wanted(world)
    if not any(one.step.startswith("service:") for one in plan.writes):
        return ()
    told = (*change(before, after, table), *warnings(after, table))
    return (*told, _LATER) if told and any(one.step == "apis" for one in plan.writes) else told


def _wanted(world: World) -> dict[str, run.Service]:
    return {name: world.spec.service(name, "", _most(world, name)) for name in SERVICES}


def _most(world: World, name: str) -> int:
    """The maximum that a deploy would set: where the quotas do not tell, what is configured."""
    known = world.facts.max_instances.get(name)
    if known is not None:
        return known
    try:
        return max_instances(world, name)[0]
    except GpupipeError:
        return world.spec.service_config(name).max_instances or DEFAULT_MAX


def _measured(world: World) -> Decimal | None:
    """How long the newest files took, in the mean; None where there is none."""
    try:
        found = world.cloud.executions.newest(world.spec.workflow_name, _EXECUTIONS)
    except GpupipeError:
        return None
    took = [
        (one.ended - one.started).total_seconds()
        for one in found
        if one.state == "SUCCEEDED"
        and one.ended
        and one.started
        and not one.file.startswith(PREFIX)
    ]
    return Decimal(str(round(fmean(took), 3))) if took else None


def _actual(world: World, table: Prices) -> list[Actual]:
    found = []
    for name in SERVICES:
        seen = _seen(world, name)
        if seen is None or seen.made is None:
            continue
        found.append(_billed(world, name, seen.service, seen.made, table))
    return found


def _billed(
    world: World, name: str, service: run.Service, since: datetime, table: Prices
) -> Actual:
    names, until = world.spec.names, world.cloud.caller.clock.now()
    try:
        seconds = world.cloud.metrics.billed_seconds(
            names.project, names.region, names.service(name), since, until
        )
    except GpupipeError as error:
        return Actual(name, since, 0.0, Cost(Decimal(0), ("instance seconds",)), error.brief)
    return Actual(name, since, seconds, second_of(service, table).times(Decimal(str(seconds))))


def _seen(world: World, name: str) -> run.Observed | None:
    try:
        return world.cloud.run.get(world.spec.service_name(name))
    except GpupipeError:
        return None
