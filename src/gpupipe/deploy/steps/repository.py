"""Step: the Docker repository with its clean-up policy and who may push to it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud.api import Binding
from gpupipe.cloud.artifact_registry import Repository
from gpupipe.cloud.errors import is_code
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb, differences
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.ownership import adoption, check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, decide, label_changes, role_changes, told_roles

Observed = tuple[Repository, frozenset[Binding]]


@dataclass(frozen=True, slots=True)
class DockerRepository:
    """Holds the three images."""

    phase: ClassVar[Phase] = Phase.FOUNDATIONS
    kind: ClassVar[str] = "repository"
    key: str = "repository"
    needs: tuple[str, ...] = ("apis", "account:build", "agent:artifactregistry")

    def name(self, world: World) -> str:
        """The repository's id."""
        return world.spec.names.repository

    def observe(self, world: World) -> Observed | None:
        """The repository and its bindings."""
        name, api = world.spec.repository.name, world.cloud.registry
        bindings = world.meanwhile(lambda: api.bindings(name))
        found = api.get(name)
        if found is None:
            return None
        adopt = world.choices.adopt
        check_labels("repository", name, found.labels, world.spec, adopt=adopt)
        return found, bindings()

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare clean-up policy, description and roles."""
        if observed is None:
            return decide(self, world, None)
        wanted, (found, bindings) = self._wanted(world), observed
        if wanted.kms_key != found.kms_key:
            raise _other_key(found)
        changes = adoption(found.labels, world.spec)
        changes += differences(_owned(wanted), _owned(found))
        last = Drift(at=found.updated)
        drifted = drift(found.labels, wanted.labels, _owned(found), last) if changes else None
        roles = role_changes(world.spec.repository_roles, bindings, world.spec.members)
        changes += label_changes(world.spec.user_labels, found.labels)
        return decide(self, world, observed, changes + roles, drifted)

    def lacks(self, world: World, observed: Observed) -> tuple[str, ...]:
        """The roles that are missing."""
        return told_roles(world.spec.repository_roles - observed[1])

    def apply(self, world: World, action: Action) -> None:
        """Create or update it, then its bindings."""
        wanted = self._wanted(world)
        if action.verb is Verb.CREATE:
            try:
                world.cloud.registry.create(wanted)
            except GpupipeError as error:
                if not is_code(error, "ALREADY_EXISTS") or self.observe(world) is None:
                    raise
        elif any(change.field != "roles" for change in action.changes):
            world.cloud.registry.update(wanted)
        roles = world.spec.repository_roles
        surplus = self.ours(world) - roles
        world.cloud.registry.edit_bindings(wanted.name, add=roles, remove=surplus)

    def ours(self, world: World) -> frozenset[Binding]:
        """The roles of our accounts on it."""
        present = world.cloud.registry.bindings(world.spec.repository.name)
        return frozenset(one for one in present if world.spec.is_ours(one[1]))

    def let_go(self, world: World) -> None:
        """Take the roles of our accounts away."""
        name = world.spec.repository.name
        world.cloud.registry.edit_bindings(name, remove=self.ours(world))

    def remove(self, world: World) -> None:
        """Delete it with all images."""
        world.cloud.registry.delete(world.spec.repository.name)

    def _wanted(self, world: World) -> Repository:
        wanted = world.spec.repository
        return replace(wanted, labels=sealed(wanted.labels, _owned(wanted)))


def _other_key(found: Repository) -> GpupipeError:
    return GpupipeError(
        "The key of a repository is chosen when it is made, and kms_key names another.",
        resource=found.name,
        details=f"It has {found.kms_key or 'no key: Google encrypts with its own'}.",
        resolution="Set kms_key as it was, use another --prefix, or destroy the pipeline first.",
        doc="reference/configuration.md#a-key-of-your-own",
    )


def _owned(repository: Repository) -> dict[str, object]:
    return {
        "keep": repository.keep,
        "description": repository.description,
    }
