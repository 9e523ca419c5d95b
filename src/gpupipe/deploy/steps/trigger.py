"""Step: the trigger that starts the workflow for each file of the input bucket."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud.errors import is_code
from gpupipe.cloud.eventarc import Trigger
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb, differences
from gpupipe.deploy.carriers import trigger_location
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.ownership import adoption, check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, action, decide, label_changes


@dataclass(frozen=True, slots=True)
class StorageTrigger:
    """In the bucket's location, as Eventarc demands."""

    phase: ClassVar[Phase] = Phase.STORAGE_AND_ORCHESTRATION
    kind: ClassVar[str] = "trigger"
    key: str = "trigger"
    needs: tuple[str, ...] = (
        "apis",
        "agent:eventarc",
        "account:eventarc",
        "grants",
        "bucket:input",
        "workflow",
    )

    def name(self, world: World) -> str:
        """The trigger's id."""
        return world.spec.names.trigger

    def observe(self, world: World) -> Trigger | None:
        """The trigger; what carries its events is noted for destroy's inventory."""
        found = world.cloud.eventarc.get(self._wanted(world).name)
        if found is not None:
            adopt = world.choices.adopt
            check_labels("trigger", found.name, found.labels, world.spec, adopt=adopt)
            world.facts.carriers |= {found.topic, found.subscription}
            world.facts.subscription = found.subscription.rpartition("/")[2]
        return found

    def diff(self, world: World, observed: Trigger | None) -> Action:
        """Compare filters, destination and account."""
        if observed is None:
            return decide(self, world, None)
        wanted = self._wanted(world)
        changes = adoption(observed.labels, world.spec)
        changes += differences(_owned(wanted), _owned(observed))
        changes += label_changes(world.spec.user_labels, observed.labels)
        drifted = drift(
            observed.labels, wanted.labels, _owned(observed), Drift(at=observed.updated)
        )
        if any(change.field == "filters" for change in changes):
            why = "filters cannot be changed in place"
            world.facts.subscription = ""  # which another one will be
            return action(self, world, Verb.REPLACE, why, changes, drifted)
        return decide(self, world, observed, changes, drifted)

    def apply(self, world: World, action: Action) -> None:
        """Create, update, or delete and create it."""
        wanted, api = self._wanted(world), world.cloud.eventarc
        if action.verb is Verb.UPDATE:
            api.update(wanted)
            return
        if action.verb is Verb.REPLACE:
            api.delete(wanted.name)
        try:
            api.create(wanted)
        except GpupipeError as error:
            if not is_code(error, "ALREADY_EXISTS") or self.observe(world) is None:
                raise
        # The subscription that Eventarc made for it is watched.
        self.observe(world)

    def remove(self, world: World) -> None:
        """Delete it with its topic and subscription."""
        world.cloud.eventarc.delete(self._wanted(world).name)

    def _wanted(self, world: World) -> Trigger:
        wanted = world.spec.trigger(trigger_location(world))
        return replace(wanted, labels=sealed(wanted.labels, _owned(wanted)))


def _owned(trigger: Trigger) -> dict[str, object]:
    return {
        "filters": dict(trigger.filters),
        "workflow": trigger.workflow,
        "account": trigger.account,
    }
