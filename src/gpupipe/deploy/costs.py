"""What a pipeline costs, as far as prices are known: idle, running, at worst, for files, and so far.

Only the inference service with a GPU is billed for the whole life of its instances; the price of
request-based billing, storage, builds, workflow steps, events and logs is in no source that was found,
so these parts are named as unknown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gpupipe.cloud import run
from gpupipe.core.names import SERVICES
from gpupipe.core.prices import Prices
from gpupipe.core.quantities import memory_bytes, milli_cpu

HOUR_S = 3600
MONTH_H = 730
"""Hours of a month, on average."""
IDLE_TAIL_S = 900
"""How long an instance may stay after its last request, billed (gcp-facts 1: up to 15 minutes, UNSURE)."""
FILES = 1000
ELSEWHERE = ("storage", "image builds", "workflow steps", "events", "logs", "network")
"""What is paid for besides instances, without a known price."""
REQUESTS = "request-based instances"


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money: what is known of it, and the parts that are not."""

    known: Decimal
    unknown: tuple[str, ...] = ()

    def __add__(self, other: "Cost") -> "Cost":
        """Both together; a part that is unknown in either is unknown."""
        parts = dict.fromkeys((*self.unknown, *other.unknown))
        return Cost(self.known + other.known, tuple(parts))

    def times(self, factor: Decimal | int) -> "Cost":
        """So many times this; nothing of what is unknown stays nothing."""
        return Cost(self.known * factor, self.unknown if factor else ())


NOTHING = Cost(Decimal(0))


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """One service: a month without any file, an instance for a second, and an hour at its maximum."""

    service: str
    idle_month: Cost
    instance_second: Cost
    worst_hour: Cost

    @property
    def instance_hour(self) -> Cost:
        """An instance for an hour."""
        return self.instance_second.times(HOUR_S)


def second_of(service: run.Service, prices: Prices) -> Cost:
    """One instance for one second."""
    if service.cpu_idle:
        return Cost(Decimal(0), (REQUESTS,))
    found, unknown = Decimal(0), []
    gib = Decimal(memory_bytes(service.memory)) / 2**30
    parts = [
        ("CPU", prices.cpu, Decimal(milli_cpu(service.cpu)) / 1000),
        ("memory", prices.memory, gib),
    ]
    if service.accelerator:
        table = prices.zonal_gpu if service.zonal_redundancy else prices.gpu
        parts.append((service.accelerator, table.get(service.accelerator), Decimal(1)))
    for name, price, amount in parts:
        if price is None:
            unknown.append(f"{name} in {prices.region}")
        else:
            found += price * amount
    return Cost(found, tuple(unknown))


def cost_of(name: str, service: run.Service, prices: Prices) -> ServiceCost:
    """What one service costs."""
    second = second_of(service, prices)
    hour = second.times(HOUR_S)
    return ServiceCost(
        service=name,
        idle_month=hour.times(MONTH_H * service.min_instances),
        instance_second=second,
        worst_hour=hour.times(service.max_instances),
    )


def total(costs: Iterable[Cost]) -> Cost:
    """All together."""
    found = NOTHING
    for one in costs:
        found += one
    return found


def files_cost(services: Iterable[ServiceCost], seconds: Decimal) -> Cost:
    """1,000 files, one after the other on one instance of each service, and the idle time after.

    seconds: how long one file takes. Files that come together share instances and cost less.
    """
    busy = seconds * FILES + IDLE_TAIL_S
    return total(one.instance_second.times(busy) for one in services)


def change(
    before: dict[str, run.Service], after: dict[str, run.Service], prices: Prices
) -> tuple[str, ...]:
    """What a change of the services does to the cost, in words; nothing where it does nothing."""
    old, new = (
        [cost_of(name, found[name], prices) for name in SERVICES if name in found]
        for found in (before, after)
    )
    figures = (
        ("idle, a month", [one.idle_month for one in old], [one.idle_month for one in new]),
        ("at worst, an hour", [one.worst_hour for one in old], [one.worst_hour for one in new]),
    )
    return tuple(
        f"Cost {title}: {text(total(earlier), prices)} -> {text(total(later), prices)}."
        for title, earlier, later in figures
        if total(earlier) != total(later)
    )


def warnings(services: dict[str, run.Service], prices: Prices) -> tuple[str, ...]:
    """What is dearer than it need be."""
    told = []
    for name, service in services.items():
        cost = cost_of(name, service, prices)
        if service.min_instances:
            told.append(
                f"{name}: min_instances = {service.min_instances} is billed also when nothing "
                f"comes: {text(cost.idle_month, prices)} a month."
            )
        if service.zonal_redundancy:
            told.append(
                f"{name}: zonal_redundancy reserves a GPU in a second zone, at a price of its own: "
                f"{text(cost.instance_hour, prices)} an hour for each instance."
            )
    return tuple(told)


def text(cost: Cost, prices: Prices) -> str:
    """An amount for people: "1.05 USD, without CPU in europe-west4 (price not known)"."""
    places = 2 if cost.known >= 1 or not cost.known else 4
    words = f"{cost.known:,.{places}f} {prices.currency}"
    if not cost.unknown:
        return words
    parts = ", ".join(cost.unknown)
    if not cost.known:
        return f"not known ({parts})"
    return f"{words} without {parts} (price not known)"
