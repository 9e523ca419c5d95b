"""Step: the APIs that the pipeline needs are enabled. They are shared and stay after a destroy."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.causes import API_USABLE
from gpupipe.deploy.action import Action, Change, Verb
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, action


@dataclass(frozen=True, slots=True)
class Apis:
    """Enables what is missing, all in one go."""

    phase: ClassVar[Phase] = Phase.FOUNDATIONS
    kind: ClassVar[str] = "APIs"
    key: str = "apis"
    needs: tuple[str, ...] = ()

    def name(self, world: World) -> str:
        """The project's: all of them are one step."""
        return world.spec.names.project

    def observe(self, world: World) -> frozenset[str]:
        """Those that are enabled, of those that we need."""
        return world.cloud.service_usage.enabled(world.spec.names.project) & world.spec.apis

    def diff(self, world: World, observed: frozenset[str]) -> Action:
        """Enable what is missing."""
        missing = sorted(api.partition(".")[0] for api in world.spec.apis - observed)
        if not missing:
            return action(self, world, Verb.KEEP, "all are enabled")
        change = Change("enabled", f"{len(observed)} of {len(world.spec.apis)}", "all")
        return action(self, world, Verb.UPDATE, f"not enabled: {', '.join(missing)}", (change,))

    def apply(self, world: World, action: Action) -> None:  # noqa: ARG002  # one thing to do
        """Enable them."""
        project = world.spec.names.project
        missing = world.spec.apis - world.cloud.service_usage.enabled(project)
        if missing:
            world.cloud.service_usage.enable(project, missing)
            # "Not enabled" can from now on only mean "not known everywhere yet".
            world.cloud.caller.always = (API_USABLE,)

    def remove(self, world: World) -> None:
        """APIs are the project's, not ours: they stay."""
