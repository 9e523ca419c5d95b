"""Which files `executions retry` sends again, and why it leaves others alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.executions import Execution
from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import parsed
from gpupipe.deploy.journey import source_of
from gpupipe.deploy.results import results
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.standing import State, state_of


@dataclass(slots=True)
class Again:
    """The objects that get an execution once more; `left_alone` has the others with the reason."""

    cloud: Cloud
    spec: PipelineSpec
    left_alone: dict[str, str] = field(default_factory=dict)

    def of(self, executions: Iterable[Execution]) -> Iterator[Object]:
        """The files of these executions, each once."""
        seen: set[tuple[str, int]] = set()
        for execution in executions:
            found = self._of(execution)
            if found is not None and (found.name, found.generation) not in seen:
                seen.add((found.name, found.generation))
                yield found

    def of_class(self, error_class: str) -> Iterator[Object]:
        """The files whose error record has this class, and that are still there."""
        for one in results(self.cloud, self.spec):
            if not one.failed:
                continue
            record = parsed(self.cloud.storage.read(one.object.bucket, one.object.name))
            if record.get("class") == error_class:
                found = self._object(one.input, one.generation)
                if found is not None:
                    yield found

    def _of(self, execution: Execution) -> Object | None:
        source = source_of(self.spec, execution)
        if execution.active or source is None:
            why = "it still runs" if execution.active else "it works on no file"
            self.left_alone[execution.execution_id] = why
            return None
        found = self._object(*source[1:])
        if found is not None and state_of(self.cloud, self.spec, found) is State.DONE:
            self.left_alone[found.name] = "it has its result"
            return None
        return found

    def _object(self, name: str, generation: int | None) -> Object | None:
        found = self.cloud.storage.stat(self.spec.names.bucket("input"), name, generation)
        if found is None:
            self.left_alone[name] = "the object is not there any more"
        return found
