"""Step: the alert policies, all of a pipeline's as one resource."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from gpupipe.cloud.alerts import AlertPolicy
from gpupipe.deploy.action import KNOWN_AFTER_DEPLOY, Action, Change, differences
from gpupipe.deploy.alerts import alert_policies
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, decide, label_changes

Observed = tuple[AlertPolicy, ...]


@dataclass(frozen=True, slots=True)
class AlertPolicies:
    """Those that carry our labels; names of policies need not be unique, so each is wanted once."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "alert policies"
    key: str = "alert policies"
    needs: tuple[str, ...] = ("apis", "trigger", "log metrics")

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether monitoring is on."""
        return spec.config.options.monitoring

    def name(self, world: World) -> str:
        """What their names begin with."""
        return f"{world.spec.names.prefix}-"

    def observe(self, world: World) -> Observed | None:
        """Ours, None where there is none."""
        spec = world.spec
        return world.cloud.alerts.labelled(spec.names.project, spec.identity) or None

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare each by its name; one of ours that nobody wants any more is a difference too."""
        if observed is None:
            return decide(self, world, None)
        found, surplus = _sorted(self._wanted(world), observed)
        changes: tuple[Change, ...] = ()
        drifted = None
        for wanted in self._wanted(world):
            one = found.get(wanted.name)
            changes += _changes(world, wanted, one)
            if one is not None:
                last = Drift(one.by, one.changed)
                drifted = drifted or drift(one.labels, wanted.labels, _owned(one), last)
        changes += tuple(Change(one.name, "(there)", "(none)") for one in surplus)
        return decide(self, world, observed, changes, drifted)

    def apply(self, world: World, action: Action) -> None:
        """Create what is missing, replace what differs, delete what nobody wants."""
        del action
        # Looked at again after a lost answer: what it left is found, not made twice.
        world.cloud.caller.read_modify_write(lambda: self._put_right(world))

    def _put_right(self, world: World) -> None:
        found, surplus = _sorted(self._wanted(world), self.observe(world) or ())
        writes = []
        for wanted in self._wanted(world):
            one, api = found.get(wanted.name), world.cloud.alerts
            if one is None:
                writes.append(partial(api.create, world.spec.names.project, wanted))
            elif _changes(world, wanted, one):
                writes.append(partial(api.update, one.resource, wanted))
        world.together(writes)
        for one in surplus:
            world.cloud.alerts.delete(one.resource)

    def remove(self, world: World) -> None:
        """Delete all of them."""
        for one in self.observe(world) or ():
            world.cloud.alerts.delete(one.resource)

    def _wanted(self, world: World) -> Observed:
        subscription = world.facts.subscription or KNOWN_AFTER_DEPLOY
        found = alert_policies(world.spec, subscription)
        return tuple(replace(one, labels=sealed(one.labels, _owned(one))) for one in found)


def _sorted(
    wanted: Iterable[AlertPolicy], observed: Observed
) -> tuple[dict[str, AlertPolicy], list[AlertPolicy]]:
    """The first of each wanted name, and all others."""
    found: dict[str, AlertPolicy] = {}
    names = {one.name for one in wanted}
    for one in observed:
        if one.name in names:
            found.setdefault(one.name, one)
    return found, [one for one in observed if found.get(one.name) is not one]


def _changes(world: World, wanted: AlertPolicy, found: AlertPolicy | None) -> tuple[Change, ...]:
    if found is None:
        return (Change(wanted.name, "(none)", "(new)"),)
    differ = differences(_owned(wanted), _owned(found))
    differ += label_changes(world.spec.user_labels, found.labels)
    # Whole conditions are no message: that they differ is.
    return tuple(
        Change(f"{wanted.name} {one.field}", "others", "these")
        if one.field == "conditions"
        else replace(one, field=f"{wanted.name} {one.field}")
        for one in differ
    )


def _owned(policy: AlertPolicy) -> dict[str, object]:
    return {
        "conditions": policy.conditions,
        "documentation": policy.documentation,
        "auto close (s)": policy.auto_close_s,
        "channels": policy.channels,
    }
