"""Step: the budget, where the configuration names a billing account."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.budgets import Budget
from gpupipe.deploy.action import Action, Verb, differences
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, decide


@dataclass(frozen=True, slots=True)
class PipelineBudget:
    """Of the project alone; its name says which pipeline it is for. It tells, and stops nothing."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "budget"
    key: str = "budget"
    needs: tuple[str, ...] = ("apis",)

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether a billing account is named."""
        return spec.config.options.budget.billing_account is not None

    def name(self, world: World) -> str:
        """The budget's display name."""
        return world.spec.mark

    def observe(self, world: World) -> Budget | None:
        """The budget. Without a billing account there is nowhere to look."""
        account = world.spec.budget_account
        if not account:
            return None
        return world.cloud.budgets.find(account, world.spec.mark, self._project(world))

    def diff(self, world: World, observed: Budget | None) -> Action:
        """Compare amount and thresholds."""
        if observed is None:
            return decide(self, world, None)
        changes = differences(_owned(self._wanted(world)), _owned(observed))
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Create or update it. One that a lost answer left is found, not made twice."""
        found = self.observe(world)
        if found is None:
            world.cloud.budgets.create(self._wanted(world))
        elif action.verb is not Verb.KEEP:
            world.cloud.budgets.update(self._wanted(world), found.name)

    def remove(self, world: World) -> None:
        """Delete it."""
        found = self.observe(world)
        if found is not None:
            world.cloud.budgets.delete(found.name)

    def _wanted(self, world: World) -> Budget:
        return world.spec.budget(self._project(world))

    def _project(self, world: World) -> int:
        return world.cloud.projects.number(world.spec.names.project)


def _owned(budget: Budget) -> dict[str, object]:
    return {"amount": budget.amount, "thresholds (%)": budget.thresholds}
