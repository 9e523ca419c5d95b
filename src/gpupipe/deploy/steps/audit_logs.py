"""Step: the Data Access audit logs of the APIs that the pipeline's data passes through."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.audit_configs import ALL_SERVICES, AuditType
from gpupipe.deploy import audit_claims
from gpupipe.deploy.action import Action, Change
from gpupipe.deploy.audit_claims import Claim, Claims
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import AUDITED, PipelineSpec
from gpupipe.deploy.step import World, decide

_COST = (
    "With audit_logs each read and each write of an object, and each call about an execution, is an "
    "entry of Cloud Logging, of the whole project and not of this pipeline alone. Entries cost by "
    "their size above what Google gives away each month."
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is logged in the project, with who is exempted, and which pipelines have asked for it."""

    present: Mapping[AuditType, frozenset[str]]
    claims: Claims

    @property
    def own(self) -> Claim:
        """This pipeline's claim."""
        return self.claims.own or Claim(frozenset())

    @property
    def lacking(self) -> frozenset[AuditType]:
        """What is wanted and not logged, by a service's own configuration or that of all services."""
        return frozenset(
            (service, kind)
            for service, kind in AUDITED
            if not {(service, kind), (ALL_SERVICES, kind)} & self.present.keys()
        )

    @property
    def claimed(self) -> frozenset[AuditType]:
        """What this pipeline claims once it is deployed: what it adds, and what pipelines added."""
        return AUDITED & (self.own.types | self.lacking | self.claims.known)


@dataclass(frozen=True, slots=True)
class AuditLogs:
    """What the project's policy has on for them. The policy is shared: only what pipelines added is ours."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "audit logs"
    key: str = "audit logs"
    needs: tuple[str, ...] = ("apis", "bucket:staging")

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether the configuration asks for them."""
        return spec.config.options.audit_logs

    def name(self, world: World) -> str:
        """The project."""
        return world.spec.names.project

    def observe(self, world: World) -> Observed | None:
        """What there is, None where this pipeline has not asked for any."""
        storage, bucket = world.cloud.storage, world.spec.names.bucket("staging")
        if audit_claims.own(storage, bucket) is None:
            if self.is_wanted(world.spec):
                world.facts.notes[self.key] = _COST
            return None
        observed = self._read(world)
        if not self.is_wanted(world.spec):
            gone, stays = _removable(observed, observed.own.types), self.shared(world, observed)
            world.facts.notes[self.key] = (
                f"Without audit_logs these are not logged any more: {', '.join(_names(gone)) or 'none'}. "
                f"Logged all the same, since others want them: {', '.join(stays) or 'none'}."
            )
        return observed

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare the types that are wanted with those that are logged, and what is claimed."""
        if observed is None:
            return decide(self, world, None)
        changes = _changes(observed.lacking, "(none)", "logged")
        changes += _changes(observed.claimed - observed.own.types - observed.lacking,
                            "another pipeline's", "shared")  # fmt: skip
        changes += _changes(observed.own.types - AUDITED, "logged", "(none)")
        if observed.own.ending:
            changes += (Change("removal", "begun", "(none)"),)
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Claim first, so that what is there is known to be ours; then write the policy once."""
        del action
        observed, configs = self._read(world), world.cloud.audit_configs
        self._release(world, observed.own.types - AUDITED)
        self._claim(world, Claim(observed.claimed))
        configs.edit(world.spec.names.project, add=self._read(world).lacking)

    def lacks(self, world: World, observed: Observed) -> tuple[str, ...]:
        """The types that are not logged."""
        wanted = observed.lacking if self.is_wanted(world.spec) else ()
        return tuple(f"{service} {kind}" for service, kind in sorted(wanted))

    def shared(self, world: World, observed: Observed) -> tuple[str, ...]:
        """What stays when this pipeline goes: others' types, and those that somebody has made their own."""
        del world
        staying = AUDITED & observed.present.keys() - _removable(observed, observed.own.types)
        return tuple(f"audit logs {one}" for one in _names(staying))

    def remove(self, world: World) -> None:
        """Remove the types that this pipeline claims and no other wants, then the claim."""
        own = self._read(world).own
        self._claim(world, Claim(own.types, ending=True))
        self._release(world, own.types)
        self._claim(world, None)

    def _release(self, world: World, types: AbstractSet[AuditType]) -> None:
        """Remove types from the policy. A pipeline that claims one meanwhile gets it back."""
        if not types:
            return
        configs, project = world.cloud.audit_configs, world.spec.names.project
        gone = _removable(self._read(world), types)
        configs.edit(project, remove=gone)
        if back := gone & self._read(world).claims.held:
            configs.edit(project, add=back)

    def _read(self, world: World) -> Observed:
        bucket, project = world.spec.names.bucket("staging"), world.spec.names.project
        claims = audit_claims.read(world.cloud.storage, bucket)
        return Observed(world.cloud.audit_configs.read(project), claims)

    def _claim(self, world: World, claim: Claim | None) -> None:
        audit_claims.write(world.cloud.storage, world.spec.names.bucket("staging"), claim)


def _removable(observed: Observed, types: AbstractSet[AuditType]) -> frozenset[AuditType]:
    """Of these types those that are there, that no other pipeline wants, and nobody has changed."""
    held, present = observed.claims.held, observed.present
    return frozenset(one for one in types - held if present.get(one) == frozenset())


def _names(types: AbstractSet[AuditType]) -> list[str]:
    return [f"{service} {kind}" for service, kind in sorted(types)]


def _changes(types: AbstractSet[AuditType], old: str, new: str) -> tuple[Change, ...]:
    return tuple(Change(one, old, new) for one in _names(types))
