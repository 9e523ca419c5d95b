"""Step: the log-based metrics, all of a pipeline's as one resource."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import ClassVar

from gpupipe.cloud.log_metrics import LogMetric
from gpupipe.deploy.action import Action, Change, differences
from gpupipe.deploy.log_metrics import log_metrics
from gpupipe.deploy.ownership import adoption_by_mark, check_mark
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, decide

Observed = tuple[LogMetric, ...]


@dataclass(frozen=True, slots=True)
class LogMetrics:
    """Those that have our mark and those that have our names."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "log metrics"
    key: str = "log metrics"
    needs: tuple[str, ...] = ("apis",)

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether monitoring is on."""
        return spec.config.options.monitoring

    def name(self, world: World) -> str:
        """What their names begin with."""
        return f"{world.spec.names.prefix}-"

    def observe(self, world: World) -> Observed | None:
        """Ours, None where there is none."""
        names = {one.name for one in log_metrics(world.spec)}
        found = []
        for one in world.cloud.log_metrics.all(world.spec.names.project):
            marked = one.description.split(" ")[0] == world.spec.mark
            if one.name in names:
                adopt = world.choices.adopt
                check_mark("log metric", one.name, one.description, world.spec, adopt=adopt)
            if marked or one.name in names:
                found.append(one)
        return tuple(found) or None

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare each by its name; one of ours that nobody wants any more is a difference too."""
        if observed is None:
            return decide(self, world, None)
        changes = tuple(
            change for one in observed for change in adoption_by_mark(one.description, world.spec)
        )
        found = {one.name: one for one in observed}
        for wanted in log_metrics(world.spec):
            changes += _changes(wanted, found.get(wanted.name))
        changes += tuple(Change(one.name, "(there)", "(none)") for one in _surplus(world, observed))
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Write those that differ, delete those that nobody wants."""
        del action
        observed = self.observe(world) or ()
        project = world.spec.names.project
        found = {one.name: one for one in observed}
        api = world.cloud.log_metrics
        world.together(
            partial(api.update if one.name in found else api.create, project, one)
            for one in log_metrics(world.spec)
            if found.get(one.name) != one
        )
        for one in _surplus(world, observed):
            world.cloud.log_metrics.delete(project, one.name)

    def remove(self, world: World) -> None:
        """Delete all of them."""
        for one in self.observe(world) or ():
            world.cloud.log_metrics.delete(world.spec.names.project, one.name)


def _changes(wanted: LogMetric, found: LogMetric | None) -> tuple[Change, ...]:
    if found is None:
        return (Change(wanted.name, "(none)", "(new)"),)
    differ = differences(asdict(wanted), asdict(found))
    return tuple(replace(one, field=f"{wanted.name} {one.field}") for one in differ)


def _surplus(world: World, observed: Observed) -> list[LogMetric]:
    wanted = {one.name for one in log_metrics(world.spec)}
    return [one for one in observed if one.name not in wanted]
