"""Destroy: list what is ours, remove it in an order of its own, then prove that nothing is left.

What the project shares (APIs, Google's agents and their roles) is kept and listed. The inventory
reads everything again: by name, by label, what Eventarc made for the trigger, and every binding of
our accounts.
"""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from gpupipe.cloud.executions import Execution
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.carriers import carriers
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.lease import lease
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.ownership import is_ours
from gpupipe.deploy.planner import observe
from gpupipe.deploy.runner import Progress, run_actions
from gpupipe.deploy.spec import PROTECTED
from gpupipe.deploy.step import Step, World, action
from gpupipe.deploy.steps import SHARED, STEPS
from gpupipe.deploy.steps.grants import ProjectGrants
from gpupipe.deploy.steps.workflow import PipelineWorkflow

# Events stop first, then what works on them, then who worked, then what it worked on.
ORDER: tuple[tuple[str, ...], ...] = (
    ("trigger",),
    ("workflow",),
    ("service",),
    ("project grants",),
    ("service account",),
    ("bucket",),
    ("repository",),
)
_LAST = "bucket:staging"
AS_ASKED = "as asked"
YOURS = "yours, kept"
_ROLES_ON = "roles on your bucket"
_MOST_RUNNING = 100
DATA = frozenset({"bucket:input", "bucket:models", "bucket:output"})


@dataclass(frozen=True, slots=True)
class Removal:
    """What a destroy would do: removals in order, and what it keeps, with the reason.

    running: executions that end with the workflow, without an outcome for their files.
    """

    actions: tuple[Action, ...]
    kept: tuple[tuple[str, str], ...]
    running: tuple[Execution, ...] = ()


def plan_removal(world: World, *, keep: frozenset[str], parallelism: int) -> Removal:
    """What is there and ours, in the order of removal."""
    steps = [step for step in STEPS if step.key not in SHARED and step.kind != "image"]
    observed = observe(world, steps, parallelism=parallelism)
    present = [step for step in steps if is_ours(observed[step.key], world.spec)]
    actions = tuple(
        _removal(step, world) for step in sorted(present, key=_rank) if step.key not in keep
    )
    kept = [(f"{step.kind} {step.name(world)}", AS_ASKED) for step in present if step.key in keep]
    kept += [(f"bucket {name}", YOURS) for name in world.spec.names.given.values()]
    kept += [(f"{step.kind} {step.name(world)}", "shared, kept") for step in STEPS
             if step.key in SHARED]  # fmt: skip
    return Removal(actions, tuple(kept), _running(world, actions))


def _removal(step: Step, world: World) -> Action:
    """Of a bucket that the user names only our accounts' roles go."""
    removal = action(step, world, Verb.DELETE, "it belongs to this pipeline")
    if step.kind == "bucket" and removal.name in world.spec.names.given.values():
        return replace(removal, kind=_ROLES_ON, reason="our accounts go; the bucket is yours")
    return removal


def check_protection(world: World) -> None:
    """GpupipeError where the configuration or the last deploy protects the pipeline."""
    staging = world.cloud.storage.get(world.spec.names.bucket("staging"))
    deployed = staging is not None and staging.labels.get(PROTECTED) == "on"
    if staging is None or not (deployed or world.spec.config.options.deletion_protection):
        return
    raise GpupipeError(
        f"The pipeline {world.spec.names.prefix} is protected from deletion.",
        resource=staging.name,
        details="Nothing was removed.",
        resolution="Set deletion_protection = false, deploy, then destroy.",
        doc="reference/configuration.md#deletion-protection",
    )


def _running(world: World, actions: Sequence[Action]) -> tuple[Execution, ...]:
    if not any(one.kind == PipelineWorkflow.kind for one in actions):
        return ()
    newest = world.cloud.executions.newest
    return tuple(newest(world.spec.workflow_name, _MOST_RUNNING, state="ACTIVE"))


def _rank(step: Step) -> tuple[int, bool]:
    group = next(index for index, kinds in enumerate(ORDER) if step.kind in kinds)
    return (len(ORDER) if step.key == _LAST else group), step.key == _LAST


def remove(
    world: World,
    removal: Removal,
    progress: Progress,
    *,
    clock: Clock,
    parallelism: int,
    cancel: threading.Event,
    force: bool,
) -> Outcome:
    """Remove group after group. `force` goes on with later groups after a failure."""
    if not removal.actions:
        return Outcome()
    steps = {step.key: step for step in STEPS}
    with _alone(world, removal), progress(removal.actions) as report:
        return run_actions(
            removal.actions,
            apply=lambda one: steps[one.step].remove(world),
            world=world,
            clock=clock,
            report=report,
            parallelism=parallelism,
            cancel=cancel,
            needs={} if force else _needs(removal.actions, steps),
        )


def _alone(world: World, removal: Removal) -> AbstractContextManager[None]:
    """The lease, where there still is a bucket to hold it."""
    if not any(one.step == _LAST for one in removal.actions):
        return nullcontext()
    bucket = world.spec.names.bucket("staging")
    return lease(world.cloud.storage, bucket, "destroy")


def _needs(actions: Sequence[Action], steps: dict[str, Step]) -> dict[str, tuple[str, ...]]:
    """Each removal waits for all of the group before its own."""
    groups: dict[int, list[str]] = {}
    for one in actions:
        groups.setdefault(_rank(steps[one.step])[0], []).append(one.step)
    needs: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for rank in sorted(groups):
        for key in groups[rank]:
            needs[key] = before
        before = tuple(groups[rank])
    return needs


def inventory(world: World, *, keep: frozenset[str], parallelism: int) -> tuple[Leftover, ...]:
    """What is still there that costs money or grants access: by name, by label, by member."""
    removal = plan_removal(world, keep=keep, parallelism=parallelism)
    # Project grants are told one by one, each with its own command.
    one_by_one = (ProjectGrants.kind, _ROLES_ON)
    named = {Leftover(one.kind, one.name) for one in removal.actions if one.kind not in one_by_one}
    kept = {name for name, _ in removal.kept}
    labelled = {one for one in _labelled(world) if f"{one.kind} {one.name}" not in kept}
    carried = {Leftover(kind, name) for kind, name in carriers(world)}
    found = named | labelled | carried | _accounts(world)
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def _labelled(world: World) -> set[Leftover]:
    cloud, spec = world.cloud, world.spec
    parent, labels = spec.names.location, spec.identity
    found = {
        "bucket": [one.name for one in cloud.storage.labelled(labels)],
        "service": [one.service.name for one in cloud.run.labelled(parent, labels)],
        "workflow": [one.name for one in cloud.workflows.labelled(parent, labels)],
        "trigger": [one.name for one in cloud.eventarc.labelled(parent, labels)],
    }
    return {
        Leftover(kind, name.rpartition("/")[2]) for kind, names in found.items() for name in names
    }


def _accounts(world: World) -> set[Leftover]:
    """Accounts that carry our mark, and bindings of our accounts, also of those that are gone."""
    names = world.spec.names
    marked = {
        Leftover("service account", one.email.partition("@")[0])
        for one in world.cloud.iam.accounts(names.project)
        if one.description.startswith(world.spec.mark)
    }
    bindings = {
        Leftover("project binding", f"{role} of {member}")
        for role, member in world.cloud.projects.bindings(names.project)
        if world.spec.is_ours(member)
    }
    return marked | bindings | _given(world)


def _given(world: World) -> set[Leftover]:
    """Roles of our accounts on buckets that the user names."""
    return {
        Leftover("bucket binding", f"{role} of {member} on {bucket}")
        for bucket in world.spec.names.given.values()
        for role, member in world.cloud.storage.bindings(bucket)
        if world.spec.is_ours(member)
    }
