"""What `gpupipe status` does: read every resource and the last executions, and show them."""

from dataclasses import dataclass

from gpupipe.context import Context, open_context
from gpupipe.core.config import Flags
from gpupipe.core.errors import Exit
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.health import states
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy
from gpupipe.render.status import Status, print_status, status_json

_EXECUTIONS = 8


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """The command line, parsed."""

    flags: Flags
    output: Output


def run(request: StatusRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    world = World(context.cloud, context.spec, Facts())
    with busy(talk(), LOOKING):
        status = _read(context, world)
    if request.output is Output.JSON:
        print_json(status_json(status))
    else:
        print_status(answer(), status)
    return Exit.DONE


def _read(context: Context, world: World) -> Status:
    workflow, executions = context.spec.workflow_name, context.cloud.executions
    newest = world.meanwhile(lambda: executions.newest(workflow, _EXECUTIONS))
    there = world.meanwhile(lambda: pipelines(context.cloud))
    found = states(world)
    return Status(
        target=context.target,
        spec=context.spec,
        resources=found,
        uris=dict(world.facts.uris),
        executions=tuple(newest()),
        pipelines=there(),
    )
