"""The protocol of a step: one resource that a deploy brings into being and a destroy removes.

`observe` and `diff` never write. `diff` decides, `apply` carries the decision out, and both see the
same `World`; what later steps need of a resource goes into `World.facts`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from gpupipe.cloud.api import Binding
from gpupipe.cloud.cloud import Cloud
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import OWNER, Action, Change, Verb, text
from gpupipe.deploy.drift import Drift
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a run may do beyond what is usual.

    adopt: take over what has our name and carries no mark of any pipeline. rollback: a new revision
    that does not prove itself loses the traffic, and is not tried again.
    """

    adopt: bool = False
    rollback: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What a step works with: the cloud, what is wanted, what is known so far, what may be done.

    overlaps: whether the reads of one step may run at the same time.
    """

    cloud: Cloud
    spec: PipelineSpec
    facts: Facts
    choices: Choices = Choices()
    overlaps: bool = True

    def meanwhile(self, read: Callable[[], T]) -> Callable[[], T]:
        """Begin a read; what is returned waits for its result. Without overlap it only runs then.

        One that nobody waits for any more ends unheard.
        """
        if not self.overlaps:
            return read
        pool = ThreadPoolExecutor(1, thread_name_prefix="read")
        reading = pool.submit(copy_context().run, read)
        pool.shutdown(wait=False)
        return reading.result

    def together(self, works: Iterable[Callable[[], object]]) -> None:
        """Run them at once, or one after the other without overlap. Waits for all, then fails as the first."""
        errors = []
        for done in [self.meanwhile(work) for work in works]:
            try:
                done()
            except GpupipeError as error:
                errors.append(error)
        if errors:
            raise errors[0]


@runtime_checkable
class OptionalStep(Protocol):
    """What a step says beside `Step` when the configuration may leave its resource out.

    One that was left out is removed by the next deploy, where it is there and ours.
    """

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether the configuration asks for it."""


@runtime_checkable
class KeepableStep(Protocol):
    """What a step says beside `Step` when a destroy can be told to keep its resource."""

    def ours(self, world: World) -> frozenset[Binding]:
        """The roles that our accounts have on it, also those of accounts that are gone."""

    def let_go(self, world: World) -> None:
        """Take these away: else they would stay as roles of deleted accounts."""


@runtime_checkable
class PartialStep(Protocol):
    """What a step says beside `Step` when its resource may be there and something of it missing."""

    def lacks(self, world: World, observed: Any) -> tuple[str, ...]:
        """What is missing, of what `observe` found, as people read it."""


@runtime_checkable
class SharingStep(Protocol):
    """What a step says beside `Step` when others in the project may want its resource."""

    def shared(self, world: World, observed: Any) -> tuple[str, ...]:
        """What of it stays when this pipeline goes, of what `observe` found, as people read it."""


class Step(Protocol):
    """One resource. What `observe` returns is frozen, and None where there is nothing.

    key: unique, "bucket:input"; kind and name: what people read; needs: keys of steps before it.
    """

    kind: ClassVar[str]

    @property
    def phase(self) -> Phase:
        """The phase it is shown in."""

    @property
    def key(self) -> str:
        """Unique name of the step."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the steps that must be done before."""

    def name(self, world: World) -> str:
        """The resource's name."""

    def observe(self, world: World) -> Any:
        """Read the resource; record in `world.facts` what others need of it."""

    def diff(self, world: World, observed: Any) -> Action:
        """Decide from what was observed; raises GpupipeError where a deploy must not go on."""

    def apply(self, world: World, action: Action) -> None:
        """Carry out `action` and record facts."""

    def remove(self, world: World) -> None:
        """Remove the resource; one that is gone already is fine."""


def is_wanted(step: Step, spec: PipelineSpec) -> bool:
    """Whether the configuration asks for a step's resource."""
    return not isinstance(step, OptionalStep) or step.is_wanted(spec)


def decide(
    step: Step,
    world: World,
    observed: Any,
    changes: tuple[Change, ...] = (),
    drift: Drift | None = None,
) -> Action:
    """The usual decision: create what is not there, update what differs, keep the rest."""
    if observed is None:
        return action(step, world, Verb.CREATE, "it does not exist")
    if changes:
        fields = ", ".join(change.field for change in changes)
        why = "it differs" if drift is None else "somebody changed it after the last deploy"
        if any(change.field == OWNER for change in changes):
            why = "this pipeline takes it over"
        return action(step, world, Verb.UPDATE, f"{why}: {fields}", changes, drift)
    return action(step, world, Verb.KEEP, "it is as it should be")


def action(
    step: Step,
    world: World,
    verb: Verb,
    reason: str,
    changes: tuple[Change, ...] = (),
    drift: Drift | None = None,
) -> Action:
    """An action of this step."""
    told = "" if drift is None else str(drift)
    return Action(step.key, step.phase, step.kind, step.name(world), verb, reason, changes, told)


def role_changes(
    wanted: Collection[Binding], present: Collection[Binding], members: Collection[str]
) -> tuple[Change, ...]:
    """How the bindings of our members differ; bindings of others are not ours to judge."""
    ours = {binding for binding in present if binding[1] in members}
    if ours == set(wanted):
        return ()
    return (Change("roles", roles_text(ours), roles_text(set(wanted))),)


def label_changes(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[Change, ...]:
    """How the labels that the configuration asks for differ; others are not ours to judge."""
    if wanted.items() <= found.items():
        return ()
    present = {key: value for key, value in found.items() if key in wanted}
    return (Change("labels", text(present), text(wanted)),)


def roles_text(bindings: Collection[Binding]) -> str:
    """Each account's id with its role."""
    return ", ".join(told_roles(bindings)) or "(none)"


def told_roles(bindings: Collection[Binding]) -> tuple[str, ...]:
    """The same, each by itself."""
    return tuple(
        f"{member.partition(':')[2].partition('@')[0]} {role}" for role, member in sorted(bindings)
    )
