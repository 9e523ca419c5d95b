"""Step: the workflow, with the services' URLs as the API returned them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gpupipe.cloud.errors import is_code
from gpupipe.cloud.workflows import Workflow
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy.action import KNOWN_AFTER_DEPLOY, Action, Verb, differences
from gpupipe.deploy.drift import Drift, drift, sealed
from gpupipe.deploy.own_sources import workflow_source
from gpupipe.deploy.ownership import adoption, check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, decide, label_changes


@dataclass(frozen=True, slots=True)
class PipelineWorkflow:
    """The static file of the package, or the user's own, deployed as it is."""

    phase: ClassVar[Phase] = Phase.STORAGE_AND_ORCHESTRATION
    kind: ClassVar[str] = "workflow"
    key: str = "workflow"
    needs: tuple[str, ...] = (
        "apis",
        "agent:workflows",
        "account:workflow",
        *(f"service:{service}" for service in SERVICES),
    )

    def name(self, world: World) -> str:
        """The workflow's id."""
        return world.spec.names.workflow

    def observe(self, world: World) -> Workflow | None:
        """The workflow."""
        found = world.cloud.workflows.get(world.spec.workflow_name)
        if found is not None:
            adopt = world.choices.adopt
            check_labels("workflow", found.name, found.labels, world.spec, adopt=adopt)
        return found

    def diff(self, world: World, observed: Workflow | None) -> Action:
        """Compare source, account and variables."""
        if observed is None:
            return decide(self, world, None)
        wanted = self._wanted(world)
        changes = adoption(observed.labels, world.spec) + tuple(
            # The whole source is no message: that it differs is.
            replace(change, old="another text", new="this text")
            if change.field == "source"
            else change
            for change in differences(_owned(wanted), _owned(observed))
        )
        last = Drift(at=observed.updated)
        drifted = drift(observed.labels, wanted.labels, _owned(observed), last)
        changes += label_changes(world.spec.user_labels, observed.labels)
        return decide(self, world, observed, changes, drifted)

    def apply(self, world: World, action: Action) -> None:
        """Create or update it."""
        wanted = self._wanted(world)
        if action.verb is Verb.UPDATE:
            world.cloud.workflows.update(wanted)
            return
        try:
            world.cloud.workflows.create(wanted)
        except GpupipeError as error:
            if not is_code(error, "ALREADY_EXISTS") or self.observe(world) is None:
                raise
            world.cloud.workflows.update(wanted)

    def remove(self, world: World) -> None:
        """Delete it; executions that still run end with it."""
        world.cloud.workflows.delete(world.spec.workflow_name)

    def _wanted(self, world: World) -> Workflow:
        uris = {service: world.facts.uris.get(service, KNOWN_AFTER_DEPLOY) for service in SERVICES}
        wanted = world.spec.workflow(workflow_source(world.spec.config), uris)
        return replace(wanted, labels=sealed(wanted.labels, _owned(wanted)))


def _owned(workflow: Workflow) -> dict[str, object]:
    return {
        "source": workflow.source,
        "account": workflow.account,
        "variables": dict(workflow.variables),
        "call log level": workflow.call_log_level,
        "key": workflow.kms_key,
    }
