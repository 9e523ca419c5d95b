"""Step: a Cloud Run service, by image digest; only the workflow's account may call it.

A new revision gets the traffic when it is ready and not before. One whose probe fails loses it to
those that had it (`releases`), and is not tried again until something else is wanted.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud import run
from gpupipe.cloud.api import Binding
from gpupipe.cloud.errors import is_code
from gpupipe.core.errors import GpupipeError
from gpupipe.core.options import key_of
from gpupipe.core.quantities import memory_bytes, memory_text, milli_cpu
from gpupipe.deploy import releases
from gpupipe.deploy.action import KNOWN_AFTER_BUILD, Action, Change, Verb, differences
from gpupipe.deploy.capacity import max_instances, region_note
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.models import require_model
from gpupipe.deploy.ownership import adoption, check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import ROLES
from gpupipe.deploy.step import World, action, decide, label_changes, role_changes, told_roles

Seen = tuple[run.Observed, frozenset[Binding]]
_TRAFFIC = "traffic"
_INVOKER = "roles/run.invoker"
_ROLLOUT = "rollout"
# Owned field -> its key in gpupipe.toml.
_KEYS = {
    "cpu": "cpu",
    "memory": "memory",
    "accelerator": "gpu",
    "zonal redundancy": "zonal_redundancy",
    "concurrency": "concurrency",
    "timeout (s)": "timeout",
    "min instances": "min_instances",
    "max instances": "max_instances",
    "startup boost": "startup_boost",
}


@dataclass(frozen=True, slots=True)
class RunService:
    """One of the three services."""

    phase: ClassVar[Phase] = Phase.SERVICES
    kind: ClassVar[str] = "service"
    service: str

    @property
    def key(self) -> str:
        """Unique name of the step."""
        return f"service:{self.service}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Its image, its account and the account that may call it."""
        return (
            "apis",
            f"image:{self.service}",
            f"account:{ROLES[self.service]}",
            "account:workflow",
        )

    def name(self, world: World) -> str:
        """The service's id."""
        return world.spec.names.service(self.service)

    def observe(self, world: World) -> Seen | None:
        """The service and its bindings; its URL becomes a fact."""
        name, api = world.spec.service_name(self.service), world.cloud.run
        measured = world.meanwhile(lambda: self._measure(world))
        bindings = world.meanwhile(lambda: api.bindings(name))
        found = api.get(name)
        measured()
        if found is None:
            return None
        labels = found.service.labels
        check_labels("service", name, labels, world.spec, adopt=world.choices.adopt)
        if found.uri:
            world.facts.uris[self.service] = found.uri
        return found, bindings()

    def diff(self, world: World, observed: Seen | None) -> Action:
        """Compare the owned fields, readiness and who may call it.

        Raises where the size is not known, or the configured model is missing.
        """
        if self.service in world.facts.no_capacity:
            raise world.facts.no_capacity[self.service]
        if self.service == "gpu-inference":
            require_model(world.cloud, world.spec)
        if observed is None:
            return decide(self, world, None)
        found, bindings = observed
        wanted = self._wanted(world)
        unset = {field for field, key in _KEYS.items() if not self._is_set(world, key)}
        changes = adoption(found.service.labels, world.spec)
        changes += differences(_owned(wanted), _owned(found.service), defaults=unset)
        changes += label_changes(world.spec.user_labels, found.service.labels)
        roles = self._roles(world, bindings)
        kept = None if changes or not world.choices.rollback else releases.rejection(found)
        if kept is not None:
            told = f"{kept}; {releases.told(found.traffic)}"
            world.facts.notes[f"{self.key} rejected"] = (
                f"{self.service}: {told}. Deploy something else, or the same again with --no-rollback."
            )
            return decide(self, world, observed, roles) if roles else action(
                self, world, Verb.KEEP, told
            )  # fmt: skip
        last = Drift(found.modifier, found.updated)
        drifted = drift(found.service.labels, wanted.labels, _owned(found.service), last)
        changes += _service_state(found)
        return decide(self, world, observed, changes + roles, drifted)

    def lacks(self, world: World, observed: Seen) -> tuple[str, ...]:
        """The right of the workflow's account to call it, where that is missing."""
        return told_roles(self._callers(world) - observed[1])

    def apply(self, world: World, action: Action) -> None:
        """Create it or roll it out, then set who may call it."""
        wanted, api = self._wanted(world), world.cloud.run
        if action.verb is Verb.CREATE:
            try:
                done = api.create(wanted)
            except GpupipeError as error:
                if not is_code(error, "ALREADY_EXISTS") or self.observe(world) is None:
                    raise
                done = api.update(wanted)
            world.facts.uris[self.service] = done.uri
        else:
            self._roll_out(world, wanted, {change.field for change in action.changes} - {"roles"})
        ours = self._ours(api.bindings(wanted.name), world)
        callers = self._callers(world)
        api.edit_bindings(wanted.name, add=callers, remove=ours - callers)

    def _roll_out(self, world: World, wanted: run.Service, fields: set[str]) -> None:
        """Update what differs; the traffic follows when the new revision is ready."""
        api = world.cloud.run
        if _ROLLOUT in fields:
            # Begun by a deploy that was interrupted, or by somebody else: followed, not begun again.
            done = api.settled(wanted.name)
            world.facts.uris[self.service] = done.uri
            fields = fields - {_ROLLOUT} if done.ready else fields
        if fields - {_TRAFFIC}:
            try:
                world.facts.uris[self.service] = api.update(wanted).uri
            except GpupipeError as error:
                raise self._rejected(world, error) from error
        if _TRAFFIC in fields:
            releases.accept(api, wanted.name)

    def _rejected(self, world: World, error: GpupipeError) -> GpupipeError:
        """The error of a roll-out; where the new revision is at fault, it has lost the traffic."""
        api, name = world.cloud.run, world.spec.service_name(self.service)
        found = api.get(name)
        if found is None or found.ready or found.reconciling or not world.choices.rollback:
            return error
        newest = next(iter(api.revisions(name)), None)
        older = releases.serving(found)
        if newest is None or not newest.unhealthy or not older:
            return error
        releases.reject(api, name, older, releases.release_of(found), releases.PROBE)
        return GpupipeError(
            "The new revision of the service does not start; the older one keeps the traffic.",
            resource=name,
            details=f"{releases.told(older)}.\n{error.details or error.brief}",
            resolution="Mend what the log names and deploy again; the same thing again is only tried "
            "with --no-rollback.",
            doc="reference/errors.md#rejected",
        )

    def _measure(self, world: World) -> None:
        """How many instances fit, for a deploy; who only looks or destroys need not know."""
        try:
            limit, note = max_instances(world, self.service)
        except GpupipeError as error:
            world.facts.no_capacity[self.service] = error
            return
        world.facts.no_capacity.pop(self.service, None)
        world.facts.max_instances[self.service] = limit
        gpu = world.spec.gpu(self.service)
        region = region_note(gpu.gpu, world.spec.names.region) if gpu else None
        notes = [one for one in (region, note) if one]
        if notes:
            world.facts.notes[self.key] = "\n".join(notes)

    def remove(self, world: World) -> None:
        """Delete it with all its revisions."""
        until = world.cloud.run.delete(world.spec.service_name(self.service))
        if until is not None:
            world.facts.held[f"{self.kind} {self.name(world)}"] = until

    def _is_set(self, world: World, key: str) -> bool:
        return f"{key_of(self.service)}.{key}" in world.spec.config.sources

    def _wanted(self, world: World) -> run.Service:
        image = world.facts.images.get(self.service, KNOWN_AFTER_BUILD)
        wanted = world.spec.service(self.service, image, world.facts.max_instances[self.service])
        return replace(
            wanted,
            labels=sealed(wanted.labels, _owned(wanted)),
            revision_labels={releases.RELEASE: world.facts.release},
        )

    def _callers(self, world: World) -> frozenset[Binding]:
        return frozenset({(_INVOKER, world.spec.names.member("workflow"))})

    def _roles(self, world: World, bindings: frozenset[Binding]) -> tuple[Change, ...]:
        members = {member for _, member in self._ours(bindings, world)} | world.spec.members
        return role_changes(self._callers(world), bindings, members)

    def _ours(self, bindings: frozenset[Binding], world: World) -> set[Binding]:
        """Bindings that we judge: our accounts', and everybody's right to call, which is never ours."""
        return {
            one
            for one in bindings
            if one[1] in world.spec.members or one[1] in {"allUsers", "allAuthenticatedUsers"}
        }


def _service_state(found: run.Observed) -> tuple[Change, ...]:
    """What is not of the template: whether the newest revision is ready, and has the traffic."""
    changes: tuple[Change, ...] = ()
    if found.reconciling:
        # Its URL may not be known yet, and what comes after it needs it ready.
        changes += (Change(_ROLLOUT, "under way", "done"),)
    elif not found.ready:
        changes += (Change("ready", "no", "yes"),)
    if found.traffic != run.NEWEST:
        told = releases.told
        changes += (Change(_TRAFFIC, told(found.traffic), told(run.NEWEST)),)
    return changes


def _owned(service: run.Service) -> dict[str, object]:
    return {
        "image": service.image,
        "account": service.account,
        "environment": dict(service.environment),
        "cpu": f"{milli_cpu(service.cpu) / 1000:g}",
        "memory": memory_text(memory_bytes(service.memory)),
        "accelerator": service.accelerator,
        "zonal redundancy": service.zonal_redundancy,
        "cpu idle": service.cpu_idle,
        "startup boost": service.startup_boost,
        "concurrency": service.concurrency,
        "timeout (s)": service.timeout_s,
        "min instances": service.min_instances,
        "max instances": service.max_instances,
        "startup probe": service.probe,
        "ingress": service.ingress,
        "vpc egress": service.vpc,
        "key": service.kms_key,
    }
