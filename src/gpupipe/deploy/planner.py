"""Builds the plan: every step observed, then diffed in the order of the table. Writes nothing.

Reads run in parallel, and one that cannot be answered yet because its API is off counts as absent:
the plan then creates the resource after enabling the API.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gpupipe.deploy.action import Action
from gpupipe.deploy.step import Step, World


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy would do: one action a step, in the order of the table."""

    actions: tuple[Action, ...]
    observed: dict[str, Any]

    @property
    def writes(self) -> tuple[Action, ...]:
        """The actions that change something."""
        return tuple(action for action in self.actions if action.writes)


def plan(world: World, steps: Sequence[Step], *, parallelism: int) -> Plan:
    """Observe everything, then decide. Raises GpupipeError where a deploy must not go on."""
    observed = observe(world, steps, parallelism=parallelism)
    return Plan(tuple(step.diff(world, observed[step.key]) for step in steps), observed)


def observe(world: World, steps: Sequence[Step], *, parallelism: int) -> dict[str, Any]:
    """What is there, by step key."""
    if parallelism == 1:
        return {step.key: step.observe(world) for step in steps}
    with ThreadPoolExecutor(parallelism, thread_name_prefix="read") as pool:
        futures = {step.key: pool.submit(step.observe, world) for step in steps}
        try:
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            # What was not begun would only be waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
