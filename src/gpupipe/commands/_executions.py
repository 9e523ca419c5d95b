"""What `gpupipe executions list`, `show` and `cancel` do."""

from dataclasses import dataclass
from itertools import islice

from gpupipe.context import Context, open_context
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.canary import PREFIX as CANARY
from gpupipe.deploy.finding import find
from gpupipe.deploy.journey import journey
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.uploads import no_pipeline
from gpupipe.render.console import answer, say, talk
from gpupipe.render.executions import (
    executions_json,
    journey_json,
    print_executions,
    print_journey,
)
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import busy


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The command line, parsed; state: Google's word, "" for all."""

    flags: Flags
    state: str
    limit: int
    output: Output


@dataclass(frozen=True, slots=True)
class ShowRequest:
    """The command line, parsed."""

    flags: Flags
    which: str
    output: Output


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The command line, parsed."""

    flags: Flags
    which: tuple[str, ...]
    output: Output


def require_pipeline(context: Context) -> None:
    """GpupipeError where there is no pipeline: files and results are looked for in its buckets."""
    cloud = context.cloud
    bucket = context.spec.names.bucket("output")
    if cloud.storage.get(bucket) is None:
        raise no_pipeline(bucket, pipelines(cloud))


def run_list(request: ListRequest) -> int:
    """The newest executions."""
    context = open_context(request.flags)
    each = context.cloud.executions.each(context.spec.workflow_name, state=request.state)
    found = list(islice((one for one in each if not one.file.startswith(CANARY)), request.limit))
    if request.output is Output.JSON:
        print_json(executions_json(found))
    elif found:
        print_executions(answer(), found)
    else:
        say(answer(), "There are no such executions.")
    return Exit.DONE


def run_show(request: ShowRequest) -> int:
    """One execution with all that is known of it."""
    context = open_context(request.flags)
    require_pipeline(context)
    with busy(talk(), "Reading what became of the file"):
        found = journey(
            context.cloud, context.spec, find(context.cloud, context.spec, request.which)
        )
    if request.output is Output.JSON:
        print_json(journey_json(found))
    else:
        print_journey(answer(), found)
    return Exit.DONE


def run_cancel(request: CancelRequest) -> int:
    """End executions; those that had ended already are named."""
    context = open_context(request.flags)
    require_pipeline(context)
    found = [find(context.cloud, context.spec, which) for which in request.which]
    running = [one for one in found if one.active]
    for one in running:
        context.cloud.executions.cancel(one.name)
    ended = [one for one in found if not one.active]
    if request.output is Output.JSON:
        print_json(
            {
                "schema": "gpupipe.executions-cancel/1",
                "cancelled": [one.execution_id for one in running],
                "ended_before": [one.execution_id for one in ended],
            }
        )
        return Exit.DONE
    for one in running:
        say(answer(), f"Cancelled {one.execution_id} {one.file}".rstrip())
    for one in ended:
        say(answer(), f"{one.execution_id} had ended before: {one.state.lower()}")
    return Exit.DONE
