"""Step: the log sink, and the right of its writer to write to the bucket of logs."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from gpupipe.cloud.api import Binding
from gpupipe.cloud.log_sinks import LogSink
from gpupipe.deploy.action import Action, Change, Verb, differences
from gpupipe.deploy.ownership import adoption_by_mark, check_mark
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World, decide

_WRITE = "roles/storage.objectCreator"
Observed = tuple[LogSink, frozenset[Binding]]


@dataclass(frozen=True, slots=True)
class PipelineLogSink:
    """The sink with our name. Its writer is Google's to choose, so its role comes after the sink."""

    phase: ClassVar[Phase] = Phase.MONITORING_AND_VALIDATION
    kind: ClassVar[str] = "log sink"
    key: str = "log sink"
    needs: tuple[str, ...] = ("apis", "bucket:logs")

    def is_wanted(self, spec: PipelineSpec) -> bool:
        """Whether the configuration asks for it."""
        return spec.config.options.log_sink

    def name(self, world: World) -> str:
        """The sink's id."""
        return world.spec.names.log_sink

    def observe(self, world: World) -> Observed | None:
        """The sink and who may do what with its bucket."""
        spec = world.spec
        found = world.cloud.log_sinks.get(spec.names.project, self.name(world))
        if found is None:
            return None
        adopt = world.choices.adopt
        check_mark("log sink", found.name, found.description, spec, adopt=adopt)
        return found, world.cloud.storage.bindings(spec.log_sink.bucket)

    def diff(self, world: World, observed: Observed | None) -> Action:
        """Compare what it exports and where, and its writer's role."""
        if observed is None:
            return decide(self, world, None)
        found, bindings = observed
        changes = adoption_by_mark(found.description, world.spec)
        changes += differences(_owned(world.spec.log_sink), _owned(found))
        if (_WRITE, found.writer) not in bindings:
            changes += (Change("roles", "(none)", f"{found.writer.partition(':')[2]} {_WRITE}"),)
        return decide(self, world, observed, changes)

    def apply(self, world: World, action: Action) -> None:
        """Create or update it, then its writer's role."""
        api, project, wanted = world.cloud.log_sinks, world.spec.names.project, world.spec.log_sink
        put = api.create if action.verb is Verb.CREATE else api.update
        made = put(project, wanted)
        world.cloud.storage.edit_bindings(wanted.bucket, add={(_WRITE, made.writer)})

    def remove(self, world: World) -> None:
        """Delete it; its writer's role goes with the bucket."""
        world.cloud.log_sinks.delete(world.spec.names.project, self.name(world))


def _owned(sink: LogSink) -> dict[str, object]:
    return {name: value for name, value in asdict(sink).items() if name not in {"name", "writer"}}
