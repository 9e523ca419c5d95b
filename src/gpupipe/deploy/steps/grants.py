"""Step: the grants that have no smaller resource than the project, in one read-modify-write."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.api import Binding
from gpupipe.deploy.action import Action, Change, Verb
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, action, role_changes, told_roles

_AGENT_SUFFIX = "@gs-project-accounts.iam.gserviceaccount.com"


def is_storage_agent(member: str) -> bool:
    """Whether a member is the Cloud Storage service agent of some project."""
    return member.startswith("serviceAccount:service-") and member.endswith(_AGENT_SUFFIX)


@dataclass(frozen=True, slots=True)
class ProjectGrants:
    """Our accounts' project roles, and the right of the Storage agent to publish events."""

    phase: ClassVar[Phase] = Phase.FOUNDATIONS
    kind: ClassVar[str] = "project grants"
    key: str = "grants"
    needs: tuple[str, ...] = ()

    def name(self, world: World) -> str:
        """The project."""
        return world.spec.names.project

    def observe(self, world: World) -> frozenset[Binding]:
        """The bindings of our accounts and of the Storage agent."""
        bindings = world.cloud.projects.bindings(world.spec.names.project)
        return frozenset(
            (role, member)
            for role, member in bindings
            if world.spec.is_ours(member)
            or (role == "roles/pubsub.publisher" and is_storage_agent(member))
        )

    def diff(self, world: World, observed: frozenset[Binding]) -> Action:
        """Add what is missing, remove what our accounts should not have."""
        changes = self._changes(world.spec, observed)
        if not changes:
            return action(self, world, Verb.KEEP, "they are as they should be")
        verb = Verb.UPDATE if observed else Verb.CREATE
        return action(self, world, verb, "bindings are missing or too many", changes)

    def lacks(self, world: World, observed: frozenset[Binding]) -> tuple[str, ...]:
        """The bindings that are missing."""
        return told_roles(self._wanted(world.spec, observed) - observed)

    def _wanted(self, spec: PipelineSpec, observed: frozenset[Binding]) -> frozenset[Binding]:
        agents = (member for _, member in observed if is_storage_agent(member))
        agent = next(agents, "serviceAccount:the Cloud Storage service agent")
        return spec.project_roles(agent.partition(":")[2])

    def _changes(self, spec: PipelineSpec, observed: frozenset[Binding]) -> tuple[Change, ...]:
        judged = {one for _, one in observed if spec.is_ours(one) or is_storage_agent(one)}
        return role_changes(self._wanted(spec, observed), observed, {*spec.members, *judged})

    def apply(self, world: World, action: Action) -> None:  # noqa: ARG002  # one thing to do
        """Write the policy once."""
        # Asking for the agent makes it exist; only then can it be given a role.
        wanted = world.spec.project_roles(world.cloud.storage.agent())
        ours = {one for one in self.observe(world) if world.spec.is_ours(one[1])}
        world.cloud.projects.edit_bindings(
            world.spec.names.project, add=wanted, remove=ours - wanted
        )

    def remove(self, world: World) -> None:
        """Remove our accounts' bindings; the Storage agent's role is shared and stays."""
        ours = {one for one in self.observe(world) if world.spec.is_ours(one[1])}
        if ours:
            world.cloud.projects.edit_bindings(world.spec.names.project, remove=ours)
