"""Step: a Cloud Run service, by image digest; only the workflow's account may call it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud import run
from gpupipe.cloud.api import Binding
from gpupipe.cloud.errors import is_code
from gpupipe.core.config import GpuServiceConfig
from gpupipe.core.errors import GpupipeError
from gpupipe.core.quantities import memory_bytes, milli_cpu
from gpupipe.deploy.action import KNOWN_AFTER_BUILD, Action, Change, Verb, differences
from gpupipe.deploy.capacity import max_instances, region_note
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.ownership import check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import ROLES
from gpupipe.deploy.step import World, decide, role_changes

Seen = tuple[run.Observed, frozenset[Binding]]
_INVOKER = "roles/run.invoker"
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
        self._measure(world)
        found = world.cloud.run.get(world.spec.service_name(self.service))
        if found is None:
            return None
        check_labels("service", found.service.name, found.service.labels, world.spec)
        if found.uri:
            world.facts.uris[self.service] = found.uri
        return found, world.cloud.run.bindings(found.service.name)

    def diff(self, world: World, observed: Seen | None) -> Action:
        """Compare the owned fields, readiness and who may call it. Raises where the size is not known."""
        if self.service in world.facts.no_capacity:
            raise world.facts.no_capacity[self.service]
        if observed is None:
            return decide(self, world, None)
        found, bindings = observed
        wanted = self._wanted(world)
        size = world.spec.service_config(self.service)
        unset = {field for field, key in _KEYS.items() if key not in size.model_fields_set}
        changes = differences(_owned(wanted), _owned(found.service), defaults=unset)
        if not found.ready and not found.reconciling:
            changes += (Change("ready", "no", "yes"),)
        last = Drift(found.modifier, found.updated)
        drifted = drift(found.service.labels, wanted.labels, _owned(found.service), last)
        return decide(self, world, observed, changes + self._roles(world, bindings), drifted)

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
        elif any(change.field != "roles" for change in action.changes):
            world.facts.uris[self.service] = api.update(wanted).uri
        ours = self._ours(api.bindings(wanted.name), world)
        callers = self._callers(world)
        api.edit_bindings(wanted.name, add=callers, remove=ours - callers)

    def _measure(self, world: World) -> None:
        """How many instances fit, for a deploy; who only looks or destroys need not know."""
        try:
            limit, note = max_instances(world, self.service)
        except GpupipeError as error:
            world.facts.no_capacity[self.service] = error
            return
        world.facts.no_capacity.pop(self.service, None)
        world.facts.max_instances[self.service] = limit
        region = region_note(world.spec.names.region) if self._has_gpu(world) else None
        notes = [one for one in (region, note) if one]
        if notes:
            world.facts.notes[self.key] = "\n".join(notes)

    def remove(self, world: World) -> None:
        """Delete it with all its revisions."""
        world.cloud.run.delete(world.spec.service_name(self.service))

    def _has_gpu(self, world: World) -> bool:
        return isinstance(world.spec.service_config(self.service), GpuServiceConfig)

    def _wanted(self, world: World) -> run.Service:
        image = world.facts.images.get(self.service, KNOWN_AFTER_BUILD)
        wanted = world.spec.service(self.service, image, world.facts.max_instances[self.service])
        return replace(wanted, labels=sealed(wanted.labels, _owned(wanted)))

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


def _owned(service: run.Service) -> dict[str, object]:
    return {
        "image": service.image,
        "account": service.account,
        "environment": dict(service.environment),
        "cpu": milli_cpu(service.cpu),
        "memory": memory_bytes(service.memory),
        "accelerator": service.accelerator,
        "zonal redundancy": service.zonal_redundancy,
        "cpu idle": service.cpu_idle,
        "startup boost": service.startup_boost,
        "concurrency": service.concurrency,
        "timeout (s)": service.timeout_s,
        "min instances": service.min_instances,
        "max instances": service.max_instances,
        "startup probe": service.probe,
    }
