"""Builds the plan: every step observed, then diffed in the order of the table. Writes nothing.

What the configuration no longer asks for, and is ours, is deleted: last, and what needs it first.

Reads run in parallel, and one that cannot be answered yet because its API is off counts as absent:
the plan then creates the resource after enabling the API.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.errors import ApiError, is_code
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.ownership import NotOursError, is_ours
from gpupipe.deploy.step import Step, World, action, is_wanted
from gpupipe.deploy.unproven import Unproven

_UNASKED = "the configuration does not ask for it any more"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy would do: one action a step, in the order of the table.

    unproven: what an earlier deploy has still to prove, None where all is proved.
    """

    actions: tuple[Action, ...]
    observed: dict[str, Any]
    unproven: Unproven | None = None

    @property
    def writes(self) -> tuple[Action, ...]:
        """The actions that change something."""
        return tuple(action for action in self.actions if action.writes)


def plan(world: World, steps: Sequence[Step], *, parallelism: int) -> Plan:
    """Observe everything, then decide. Raises GpupipeError where a deploy must not go on."""
    observed = observe(world, steps, parallelism=parallelism)
    wanted = [one for one in steps if is_wanted(one, world.spec)]
    left = [one for one in reversed(steps) if one not in wanted and _is_left(world, one, observed)]
    changed = [step.diff(world, observed[step.key]) for step in wanted]
    deleted = [action(step, world, Verb.DELETE, _UNASKED) for step in left]
    return Plan((*changed, *deleted), observed)


def _is_left(world: World, step: Step, observed: Mapping[str, Any]) -> bool:
    return is_ours(observed[step.key], world.spec)


def observe(world: World, steps: Sequence[Step], *, parallelism: int) -> dict[str, Any]:
    """What is there, by step key: all at once, or one after the other where `parallelism` is 1."""
    if parallelism == 1:
        return {step.key: _seen(world, step) for step in steps}
    with ThreadPoolExecutor(len(steps), thread_name_prefix="read") as pool:
        futures = {step.key: pool.submit(_seen, world, step) for step in steps}
        try:
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            # What was not begun would only be waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _seen(world: World, step: Step) -> Any:
    """What is there of a step; where nobody asks for it, what may not be seen or is another's is nothing."""
    try:
        return step.observe(world)
    except (NotOursError, ApiError) as error:
        denied = isinstance(error, NotOursError) or is_code(error, "PERMISSION_DENIED")
        if is_wanted(step, world.spec) or not denied:
            raise
        return None
