"""Step: a service account of the pipeline. Each part of the pipeline has its own."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.errors import is_code
from gpupipe.cloud.iam import Account
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb, differences
from gpupipe.deploy.ownership import adoption_by_mark, check_mark
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, decide


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The account of a role ("pre", "workflow", …)."""

    phase: ClassVar[Phase] = Phase.FOUNDATIONS
    kind: ClassVar[str] = "service account"
    role: str
    needs: tuple[str, ...] = ("apis",)

    @property
    def key(self) -> str:
        """Unique name of the step."""
        return f"account:{self.role}"

    def name(self, world: World) -> str:
        """The account's id."""
        return world.spec.names.account_id(self.role)

    def observe(self, world: World) -> Account | None:
        """The account."""
        names = world.spec.names
        found = world.cloud.iam.get(names.project, names.account(self.role))
        if found is not None:
            adopt = world.choices.adopt
            check_mark(self.kind, found.email, found.description, world.spec, adopt=adopt)
        return found

    def diff(self, world: World, observed: Account | None) -> Action:
        """Create it, or set its description."""
        wanted = world.spec.account(self.role)
        changes = () if observed is None else adoption_by_mark(
            observed.description, world.spec
        ) + differences(
            {"display_name": wanted.display_name, "description": wanted.description},
            {"display_name": observed.display_name, "description": observed.description},
        )  # fmt: skip
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Create or describe it."""
        names, wanted = world.spec.names, world.spec.account(self.role)
        if action.verb is Verb.UPDATE:
            world.cloud.iam.describe(names.project, wanted)
            return
        try:
            world.cloud.iam.create(
                names.project,
                names.account_id(self.role),
                wanted.display_name,
                wanted.description,
            )
        except GpupipeError as error:
            # A create whose answer was lost: adopt what it made, if it is ours.
            if not is_code(error, "ALREADY_EXISTS"):
                raise
            world.cloud.iam.wait_until_visible(names.project, wanted.email)
            self.observe(world)

    def remove(self, world: World) -> None:
        """Delete it; its bindings have been removed before."""
        names = world.spec.names
        until = world.cloud.iam.delete(names.project, names.account(self.role))
        if until is not None:
            world.facts.held[f"{self.kind} {self.name(world)}"] = until
