"""Step: the dashboard. Tiles that people have put beside ours, and where all of them are, are theirs."""

from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.dashboards import Dashboard
from gpupipe.deploy.action import KNOWN_AFTER_DEPLOY, Action, Change
from gpupipe.deploy.dashboard import GPU_TITLES, tiles
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, decide, label_changes

Observed = tuple[Dashboard, ...]


@dataclass(frozen=True, slots=True)
class PipelineDashboard:
    """The one that carries our labels; a second one of ours is removed."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "dashboard"
    key: str = "dashboard"
    needs: tuple[str, ...] = ("apis", "trigger")

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether monitoring is on."""
        return spec.config.options.monitoring

    def name(self, world: World) -> str:
        """The dashboard's display name."""
        return world.spec.names.prefix

    def observe(self, world: World) -> Observed | None:
        """Ours, None where there is none."""
        spec = world.spec
        return world.cloud.dashboards.labelled(spec.names.project, spec.identity) or None

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare our tiles by their titles."""
        if observed is None:
            return decide(self, world, None)
        found, *others = observed
        changes = self._changes(world, found)
        changes += tuple(Change("another one", one.resource, "(none)") for one in others)
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Create or update it. One that a lost answer left is found, not made twice."""
        del action
        cloud, wanted = world.cloud.dashboards, self._wanted(world)

        def once() -> None:
            found = self.observe(world)
            if found is None:
                cloud.create(world.spec.names.project, wanted)
            elif self._changes(world, found[0]):
                cloud.update(found[0], wanted, GPU_TITLES)

        world.cloud.caller.read_modify_write(once)
        for one in (self.observe(world) or ())[1:]:
            cloud.delete(one.resource)

    def remove(self, world: World) -> None:
        """Delete it, with the tiles of others."""
        for one in self.observe(world) or ():
            world.cloud.dashboards.delete(one.resource)

    def _wanted(self, world: World) -> Dashboard:
        subscription = world.facts.subscription or KNOWN_AFTER_DEPLOY
        return Dashboard(self.name(world), tiles(world.spec, subscription), world.spec.labels)

    def _changes(self, world: World, found: Dashboard) -> tuple[Change, ...]:
        wanted = self._wanted(world)
        present = {tile.title: tile for tile in found.tiles}
        names = {tile.title for tile in wanted.tiles}
        changes = [
            Change(f"tile {tile.title}", "another" if tile.title in present else "(none)", "this")
            for tile in wanted.tiles
            if present.get(tile.title) != tile
        ]
        changes += [
            Change(f"tile {title}", "(there)", "(none)")
            for title in sorted(GPU_TITLES & present.keys() - names)
        ]
        return (*changes, *label_changes(world.spec.user_labels, found.labels))
