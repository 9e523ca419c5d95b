"""Step: one of Google's service agents exists and has its role. Shared: stays after a destroy."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, action


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent of an API; it is there when its role is in the project's policy.

    for_key: it is only needed where the user's own key is used.
    """

    phase: ClassVar[Phase] = Phase.FOUNDATIONS
    kind: ClassVar[str] = "service agent"
    api: str
    role: str
    needs: tuple[str, ...] = ("apis",)
    for_key: bool = False

    @property
    def key(self) -> str:
        """Unique name of the step."""
        return f"agent:{self.api.partition('.')[0]}"

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether the pipeline needs the agent."""
        return not self.for_key or spec.config.options.kms_key is not None

    def name(self, world: World) -> str:  # noqa: ARG002  # the same in every project
        """The API whose agent it is."""
        return self.api.partition(".")[0]

    def observe(self, world: World) -> str | None:
        """The agent's e-mail, or None."""
        if not self.is_wanted(world.spec):
            return None
        bindings = world.cloud.projects.bindings(world.spec.names.project)
        return next((member for role, member in sorted(bindings) if role == self.role), None)

    def diff(self, world: World, observed: str | None) -> Action:
        """Make it where its role is missing."""
        if observed is None:
            return action(self, world, Verb.CREATE, f"nobody has {self.role}")
        return action(self, world, Verb.KEEP, "it has its role")

    def apply(self, world: World, action: Action) -> None:  # noqa: ARG002  # one thing to do
        """Ask Google to make it."""
        world.cloud.service_usage.make_agent(world.spec.names.project, self.api)

    def remove(self, world: World) -> None:
        """Agents are Google's, not ours: they stay."""
