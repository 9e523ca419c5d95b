"""Destroy: list what is ours, remove it in an order of its own, then prove that nothing is left.

What the project shares (APIs, Google's agents and their roles) is kept and listed. The inventory
reads everything again: by name, by label, what Eventarc made for the trigger, and every binding of
our accounts.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from gpupipe.cloud.api import Binding
from gpupipe.cloud.executions import Execution
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy import audit_claims
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.carriers import carriers
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.lease import lease
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.ownership import is_ours
from gpupipe.deploy.planner import observe
from gpupipe.deploy.runner import Progress, run_actions
from gpupipe.deploy.spec import PROTECTED
from gpupipe.deploy.step import KeepableStep, SharingStep, Step, World, action
from gpupipe.deploy.steps import SHARED, STEPS
from gpupipe.deploy.steps.buckets import DataBucket
from gpupipe.deploy.steps.grants import ProjectGrants
from gpupipe.deploy.steps.workflow import PipelineWorkflow

# What watches goes first; then events stop, then what works on them, then who worked, then what it
# worked on. Roles on what stays go before the services, which say where a user's buckets are.
ORDER: tuple[tuple[str, ...], ...] = (
    ("budget", "dashboard", "alert policies"),
    ("trigger", "log metrics", "log sink"),
    ("workflow",),
    ("roles on bucket", "roles on repository"),
    ("service",),
    ("project grants",),
    ("service account",),
    ("bucket",),
    ("repository", "audit logs"),
)
_LAST = "bucket:staging"
_ROLES, _OWN = "roles:", "own:"
_IN_ITS_PLACE = "the configuration names another one in its place"
AS_ASKED = "as asked"
_SHARED = "shared, kept"
YOURS = "yours, kept"
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
    gone = [
        action(step, world, Verb.DELETE, "it belongs to this pipeline")
        for step in present
        if not _stays(step, world, keep)
    ]
    gone += [
        _let_go(step, world)
        for step in present
        if _stays(step, world, keep) and _roles_on(step, world)
    ]
    own, replaced = _without_given(world), _replaced(world)
    gone += [
        replace(action(step, own, Verb.DELETE, _IN_ITS_PLACE), step=_OWN + step.key)
        for step in replaced
        if step.key not in keep
    ]
    actions = tuple(sorted(gone, key=_rank))
    kept = [(f"{step.kind} {step.name(world)}", AS_ASKED) for step in present
            if step.key in keep and not _is_given(step, world)]  # fmt: skip
    kept += [(f"bucket {step.name(own)}", AS_ASKED) for step in replaced if step.key in keep]
    kept += [(f"bucket {name}", YOURS) for name in world.spec.names.given.values()]
    kept += [(f"{step.kind} {step.name(world)}", _SHARED) for step in STEPS
             if step.key in SHARED]  # fmt: skip
    kept += [(what, _SHARED) for step in present if isinstance(step, SharingStep)
             for what in step.shared(world, observed[step.key])]  # fmt: skip
    return Removal(actions, tuple(kept), _running(world, actions))


def _stays(step: Step, world: World, keep: frozenset[str]) -> bool:
    """Whether a destroy keeps it: it was told to, or the user has named a bucket of theirs."""
    return step.key in keep or _is_given(step, world)


def _is_given(step: Step, world: World) -> bool:
    return step.kind == DataBucket.kind and step.name(world) in world.spec.names.given.values()


def _without_given(world: World) -> World:
    names = replace(world.spec.names, given={})
    return replace(world, spec=replace(world.spec, names=names))


def _replaced(world: World) -> tuple[DataBucket, ...]:
    """The buckets that we made before the configuration named one of the user's in their place."""
    given = world.spec.names.given
    if not given:
        return ()
    ours = {one.name for one in world.cloud.storage.labelled(world.spec.identity)}
    own = _without_given(world)
    return tuple(one for one in map(DataBucket, given) if one.name(own) in ours)


def _roles_on(step: Step, world: World) -> frozenset[Binding]:
    return step.ours(world) if isinstance(step, KeepableStep) else frozenset()


def _let_go(step: Step, world: World) -> Action:
    """The removal of our accounts' roles on what stays."""
    why = "its accounts are removed"
    kind, name = f"roles on {step.kind}", step.name(world)
    return Action(_ROLES + step.key, step.phase, kind, name, Verb.DELETE, why)


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


def _rank(one: Action) -> int:
    if one.step == _LAST:
        return len(ORDER)
    return next(index for index, kinds in enumerate(ORDER) if one.kind in kinds)


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
    with _alone(world, removal), progress(removal.actions) as report:
        return run_actions(
            removal.actions,
            apply=lambda one: _remove(world, one),
            world=world,
            clock=clock,
            report=report,
            parallelism=parallelism,
            cancel=cancel,
            needs=_needs(removal.actions),
            go_on=force,
        )


def _remove(world: World, one: Action) -> None:
    if one.step == _LAST:
        _check_claim(world)
    if one.step.startswith(_OWN):
        one, world = replace(one, step=one.step.removeprefix(_OWN)), _without_given(world)
    step = next(step for step in STEPS if step.key == one.step.removeprefix(_ROLES))
    if not one.step.startswith(_ROLES):
        step.remove(world)
    elif isinstance(step, KeepableStep):
        step.let_go(world)


def _check_claim(world: World) -> None:
    """GpupipeError while audit logs of this pipeline are on: the bucket's labels alone tell that they are its."""
    bucket = world.spec.names.bucket("staging")
    if audit_claims.own(world.cloud.storage, bucket) is not None:
        raise GpupipeError(
            "The staging bucket stays, since its labels tell which audit logs are to be turned off.",
            resource=bucket,
            resolution="Mend what the removal of the audit logs failed of, then run the destroy again.",
            doc="how-to/watch-the-pipeline.md#who-used-the-data",
        )


def _alone(world: World, removal: Removal) -> AbstractContextManager[None]:
    """The lease, where there still is a bucket to hold it."""
    if not any(one.step == _LAST for one in removal.actions):
        return nullcontext()
    bucket = world.spec.names.bucket("staging")
    return lease(world.cloud.storage, bucket, "destroy")


def _needs(actions: Sequence[Action]) -> dict[str, tuple[str, ...]]:
    """Each removal waits for all of the group before its own."""
    groups: dict[int, list[str]] = {}
    for one in actions:
        groups.setdefault(_rank(one), []).append(one.step)
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
    # Grants are told one by one, each with its own command.
    named = {
        Leftover(one.kind, one.name)
        for one in removal.actions
        if one.kind != ProjectGrants.kind and not one.step.startswith(_ROLES)
    }
    named |= {
        Leftover(f"{step.kind} binding", f"{role} of {member} on {step.name(world)}")
        for step in STEPS
        if _stays(step, world, keep)
        for role, member in _roles_on(step, world)
    }
    kept = {name for name, _ in removal.kept}
    labelled = {one for one in _labelled(world) if f"{one.kind} {one.name}" not in kept}
    carried = {Leftover(kind, name, known=False) for kind, name in carriers(world)}
    found = named | labelled | carried | _accounts(world)  # of two that are equal, the first stays
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def prove(
    world: World,
    removal: Removal,
    outcome: Outcome,
    again: Callable[[Removal], Outcome],
    *,
    keep: frozenset[str],
    parallelism: int,
) -> tuple[Leftover, ...]:
    """The inventory after a removal.

    Where it finds what the plan could not see yet, as an account of a deploy that was cut off a moment
    ago, that is removed by `again`, once, and told in `outcome`.
    """
    found = inventory(world, keep=keep, parallelism=parallelism)
    asked = {(one.kind, one.name) for one in removal.actions}
    if outcome.failed or all((one.kind, one.name) in asked for one in found):
        return found
    outcome.add(again(plan_removal(world, keep=keep, parallelism=parallelism)))
    return inventory(world, keep=keep, parallelism=parallelism)


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
        Leftover(kind, name.rpartition("/")[2], known=False)
        for kind, names in found.items()
        for name in names
    }


def _accounts(world: World) -> set[Leftover]:
    """Accounts that carry our mark, and bindings of our accounts, also of those that are gone."""
    names = world.spec.names
    marked = {
        Leftover("service account", one.email.partition("@")[0], known=False)
        for one in world.cloud.iam.accounts(names.project)
        if one.description.startswith(world.spec.mark)
    }
    bindings = {
        Leftover("project binding", f"{role} of {member}")
        for role, member in world.cloud.projects.bindings(names.project)
        if world.spec.is_ours(member)
    }
    return marked | bindings
