"""What `gpupipe process` does: find, start, follow, sum up."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from gpupipe.cloud.storage import Object
from gpupipe.commands._interrupt import stopping
from gpupipe.commands._outcomes import Answer, watched
from gpupipe.context import Context, open_context
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.follow import Follower, Outcome, Sent
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.processing import Backlog, prefix_of, start, start_and_follow
from gpupipe.deploy.uploads import require_bucket
from gpupipe.render.console import answer, say
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output


@dataclass(frozen=True, slots=True)
class ProcessRequest:
    """The command line, parsed."""

    flags: Flags
    address: str
    retry_failed: bool
    limit: int | None
    wait: bool
    timeout_s: float
    output: Output


def run(request: ProcessRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    prefix = prefix_of(context.spec, request.address)
    require_bucket(context.cloud, context.spec.names.bucket("input"), pipelines(context.cloud))
    backlog = Backlog(context.cloud, context.spec, prefix, retry_failed=request.retry_failed)
    found = Answer(context.clock, None, rows=False)
    try:
        with stopping(context.clock):
            coming = through(
                context,
                iter(backlog),
                limit=request.limit,
                wait=request.wait,
                timeout_s=request.timeout_s,
            )
            for one in watched(coming, found, context.clock, "started"):
                found.add(one)
    except KeyboardInterrupt:
        raise InterruptedWaitError from None
    _tell(request, context, backlog, found)
    return Exit.DONE if found.tally.well else Exit.FAILED


def through(
    context: Context, objects: Iterator[Object], *, limit: int | None, wait: bool, timeout_s: float
) -> Iterator[Sent | Outcome]:
    """Start an execution for each object and, with `wait`, follow it to its outcome."""
    cloud, spec = context.cloud, context.spec
    started = start(objects, cloud, spec, limit)
    if not wait:
        for one in started:
            yield one
            yield Outcome(one, "started", execution=one.execution)
        return
    with Follower(cloud, spec.workflow_name, spec.names.bucket("output")) as follower:
        yield from start_and_follow(started, follower, cloud, context.clock, patience_s=timeout_s)


def _tell(request: ProcessRequest, context: Context, backlog: Backlog, found: Answer) -> None:
    left = backlog.found
    if request.output is Output.JSON:
        print_json(
            {
                "schema": "gpupipe.process/1",
                "address": request.address,
                "left_alone": asdict(left),
                "summary": found.summary(),
            }
        )
        return
    console = answer()
    failed = "" if request.retry_failed else f", {left.failed:,} with an error record"
    say(
        console,
        f"Left alone: {left.done:,} with a result{failed}, {left.running:,} at work, "
        f"{left.ignored:,} that the pipeline ignores.",
    )
    if found.tally.files:
        found.print_summary(console, context.spec.names.bucket("output"))
    else:
        say(console, "There was nothing to start.")
