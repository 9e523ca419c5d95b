"""The state of each resource, read from the API, in one word and a sentence."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.run import Observed, Service
from gpupipe.cloud.workflows import Workflow
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy import releases
from gpupipe.deploy.ownership import NotOursError, is_ours
from gpupipe.deploy.step import PartialStep, Step, World, is_wanted
from gpupipe.deploy.steps import SHARED, STEPS

UNWANTED = "unwanted"
"""Neither there nor asked for: nothing to show."""


@dataclass(frozen=True, slots=True)
class State:
    """A resource's state: ready, held (an older release serves), incomplete (as roles are missing), absent,
    changing, failed, foreign, unknown.

    service: what a Cloud Run service is set to, None for other resources.
    """

    kind: str
    name: str
    state: str
    detail: str = ""
    service: Service | None = None


def states(world: World) -> tuple[State, ...]:
    """Every resource of the pipeline; the project's shared ones are left out. All reads run at once."""
    steps: Sequence[Step] = [step for step in STEPS if step.key not in SHARED]
    with ThreadPoolExecutor(len(steps), thread_name_prefix="read") as pool:
        found = pool.map(lambda step: _state(world, step), steps)
        return tuple(one for one in found if one.state != UNWANTED)


def _state(world: World, step: Step) -> State:
    name = step.name(world)
    try:
        observed = step.observe(world)
    except NotOursError as error:
        return State(step.kind, name, "foreign", error.brief)
    except GpupipeError as error:
        return State(step.kind, name, "unknown", error.brief)
    if not is_ours(observed, world.spec):
        return State(step.kind, name, "absent" if is_wanted(step, world.spec) else UNWANTED)
    word, detail = _judge(observed)
    lacks = step.lacks(world, observed) if isinstance(step, PartialStep) else ()
    if lacks and word == "ready":
        word, detail = "incomplete", f"a deploy gives what is missing: {', '.join(lacks)}"
    service = observed[0].service if _is_service(observed) else None
    return State(step.kind, name, word, detail, service)


def _is_service(observed: Any) -> bool:
    return isinstance(observed, tuple) and isinstance(observed[0], Observed)


def _judge(observed: Any) -> tuple[str, str]:
    if _is_service(observed):
        return _service(observed[0])
    if isinstance(observed, Workflow):
        return (
            "ready" if observed.state == "ACTIVE" else "failed"
        ), f"revision {observed.revision}"
    return "ready", ""


def _service(found: Observed) -> tuple[str, str]:
    service = found.service
    size = f"{service.cpu} CPU, {service.memory}"
    gpu = f", {service.accelerator}" if service.accelerator else ""
    scale = f", {service.min_instances} to {service.max_instances} instances"
    if found.reconciling:
        return "changing", size + gpu + scale
    rejected = releases.rejection(found)
    if rejected is not None:
        return "held", f"{rejected}; {releases.told(found.traffic)}"
    if not found.ready:
        return "failed", found.message
    return "ready", size + gpu + scale
