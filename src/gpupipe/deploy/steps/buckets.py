"""Step: a bucket with its lifecycle and who may use it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud.api import Binding
from gpupipe.cloud.errors import is_code
from gpupipe.cloud.storage import Bucket
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import LOGS
from gpupipe.deploy import given_buckets
from gpupipe.deploy.action import Action, Verb, differences
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.ownership import adoption, check_labels, not_ours
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import ACCOUNTS_OF_BUCKET, PROTECTED, PipelineSpec
from gpupipe.deploy.step import World, decide, label_changes, role_changes, told_roles

Observed = tuple[Bucket, frozenset[Binding]]
_PHASES = {"staging": Phase.FOUNDATIONS, LOGS: Phase.MONITORING_AND_VALIDATION}
# Owned field -> its key in gpupipe.toml.
_KEYS = {
    "versioning": "versioning",
    "soft delete (s)": "soft_delete_days",
    "storage class": "storage_class",
    "key": "kms_key",
}


@dataclass(frozen=True, slots=True)
class DataBucket:
    """The bucket of a role ("input", "staging", …)."""

    kind: ClassVar[str] = "bucket"
    role: str

    @property
    def phase(self) -> Phase:
        """The phase it is shown in."""
        return _PHASES.get(self.role, Phase.STORAGE_AND_ORCHESTRATION)

    @property
    def key(self) -> str:
        """Unique name of the step."""
        return f"bucket:{self.role}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The accounts that get roles on it."""
        return ("apis", *(f"account:{role}" for role in ACCOUNTS_OF_BUCKET[self.role]))

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """That of exported logs only where there is a sink."""
        return self.role != LOGS or spec.config.options.log_sink

    def name(self, world: World) -> str:
        """The bucket's name."""
        return world.spec.names.bucket(self.role)

    def observe(self, world: World) -> Observed | frozenset[Binding] | None:
        """The bucket and its bindings; of one that the user names, the bindings of our accounts.

        GpupipeError where it is somebody else's.
        """
        name = self.name(world)
        if self._is_given(world):
            return given_buckets.observe(world, name)
        bindings = world.meanwhile(lambda: world.cloud.storage.bindings(name))
        try:
            found = world.cloud.storage.get(name)
        except GpupipeError as error:
            if is_code(error, "PERMISSION_DENIED"):
                # Names are everybody's: a bucket that we may not read is probably not ours, unless
                # we may not even list our own (then that is what is said).
                world.cloud.storage.labelled(world.spec.identity)
                raise not_ours("bucket", name, adoptable=False) from error
            raise
        if found is None:
            return None
        # What is read may be in another project all the same: only our own is taken over.
        adopt = world.choices.adopt and name in {
            one.name for one in world.cloud.storage.labelled({})
        }
        check_labels("bucket", name, found.labels, world.spec, adopt=adopt)
        if not self.is_wanted(world.spec):
            world.facts.notes[self.key] = (
                f"Without log_sink the bucket {name} is deleted, with the logs in it: copy what you "
                "want to keep."
            )
        return found, bindings()

    def diff(self, world: World, observed: Observed | frozenset[Binding] | None) -> Action:
        """Compare the owned fields and the roles of our accounts."""
        if self._is_given(world):
            bindings = observed if isinstance(observed, frozenset) else None
            return given_buckets.diff(self, world, self.role, bindings)
        if not isinstance(observed, tuple):
            return decide(self, world, None)
        wanted, (found, bindings) = self._wanted(world), observed
        if found.location != wanted.location:
            raise GpupipeError(
                f"The bucket is in {found.location}, not in {wanted.location}; "
                "a bucket cannot be moved.",
                resource=found.name,
                resolution=f"Use --region {found.location}, or another --prefix.",
                doc="reference/errors.md#region",
            )
        roles = role_changes(world.spec.bucket_roles(self.role), bindings, world.spec.members)
        changes = differences(_owned(wanted), _owned(found), defaults=self._unset(world))
        changes += label_changes(self._labels(wanted, world), found.labels)
        last = Drift(at=found.updated)
        drifted = drift(found.labels, wanted.labels, _owned(found), last) if changes else None
        changes = adoption(found.labels, world.spec) + changes + roles
        return decide(self, world, observed, changes, drifted)

    def lacks(self, world: World, observed: Observed | frozenset[Binding]) -> tuple[str, ...]:
        """The roles that are missing."""
        bindings = observed[1] if isinstance(observed, tuple) else observed
        return told_roles(world.spec.bucket_roles(self.role) - bindings)

    def apply(self, world: World, action: Action) -> None:
        """Create or update it, then its bindings."""
        wanted = self._wanted(world)
        if self._is_given(world):
            pass
        elif action.verb is Verb.CREATE:
            try:
                world.cloud.storage.create(wanted)
            except GpupipeError as error:
                if not is_code(error, "ALREADY_EXISTS"):
                    raise
                if self.observe(world) is None:
                    raise not_ours("bucket", wanted.name, adoptable=False) from error
        elif any(change.field != "roles" for change in action.changes):
            world.cloud.storage.update(wanted)
        roles = world.spec.bucket_roles(self.role)
        surplus = self.ours(world) - roles
        world.cloud.storage.edit_bindings(wanted.name, add=roles, remove=surplus)

    def ours(self, world: World) -> frozenset[Binding]:
        """The roles of our accounts on it."""
        present = world.cloud.storage.bindings(self.name(world))
        return frozenset(one for one in present if world.spec.is_ours(one[1]))

    def let_go(self, world: World) -> None:
        """Take the roles of our accounts away."""
        roles = self.ours(world)
        if roles:
            world.cloud.storage.edit_bindings(self.name(world), remove=roles)

    def _is_given(self, world: World) -> bool:
        return self.role in world.spec.names.given

    def _labels(self, wanted: Bucket, world: World) -> dict[str, str]:
        own = {PROTECTED: wanted.labels[PROTECTED]} if PROTECTED in wanted.labels else {}
        return {**world.spec.user_labels, **own}

    def _unset(self, world: World) -> set[str]:
        """The fields that nobody set: going back to their default is said."""
        config, table = world.spec.config, f"buckets.{self.role}"
        lifecycle = ("retention_days", f"{table}.retention_days", f"{table}.versioning")
        keys = {field: (f"{table}.{key}", key) for field, key in _KEYS.items()}
        fields = {**keys, "lifecycle": lifecycle}
        return {name for name, paths in fields.items() if not config.sources.keys() & set(paths)}

    def _wanted(self, world: World) -> Bucket:
        wanted = world.spec.bucket(self.role)
        return replace(wanted, labels=sealed(wanted.labels, _owned(wanted)))

    def remove(self, world: World) -> None:
        """Delete every object at every generation, then the bucket; only roles on a user's own."""
        storage, name = world.cloud.storage, self.name(world)
        if self._is_given(world):
            self.let_go(world)
            return
        if storage.get(name) is None:
            return
        for found in storage.objects(name, versions=True):
            storage.remove(name, found.name, found.generation)
        storage.delete(name)


def _owned(bucket: Bucket) -> dict[str, object]:
    return {
        "versioning": bucket.versioning,
        "soft delete (s)": bucket.soft_delete_s,
        "lifecycle": bucket.rules,
        "uniform access": bucket.uniform_access,
        "public access prevention": bucket.public_access_prevention,
        "storage class": bucket.storage_class,
        "key": bucket.kms_key,
    }
