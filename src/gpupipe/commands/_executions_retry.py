"""What `gpupipe executions retry` does: find the files, start an execution for each, follow them."""

from collections.abc import Iterator
from dataclasses import dataclass

from gpupipe.cloud.storage import Object
from gpupipe.commands._executions import require_pipeline
from gpupipe.commands._interrupt import stopping
from gpupipe.commands._outcomes import Answer, watched
from gpupipe.commands._process import through
from gpupipe.context import Context, open_context
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.finding import find
from gpupipe.deploy.follow import Outcome
from gpupipe.deploy.retrying import Again
from gpupipe.render.console import answer, say
from gpupipe.render.files import file_json, print_files
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

_CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """The command line, parsed; which: none for all files of the class `capacity`."""

    flags: Flags
    which: tuple[str, ...]
    wait: bool
    timeout_s: float
    output: Output


def run_retry(request: RetryRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    require_pipeline(context)
    again = Again(context.cloud, context.spec)
    found = Answer(context.clock, None, rows=True)
    outcomes: list[Outcome] = []
    try:
        with stopping(context.clock):
            coming = through(
                context,
                _objects(request, context, again),
                limit=None,
                wait=request.wait,
                timeout_s=request.timeout_s,
            )
            for one in watched(coming, found, context.clock, "started"):
                found.add(one)
                outcomes.append(one)
    except KeyboardInterrupt:
        raise InterruptedWaitError from None
    _tell(request, context, again, found, outcomes)
    return Exit.DONE if found.tally.well else Exit.FAILED


def _objects(request: RetryRequest, context: Context, again: Again) -> Iterator[Object]:
    if not request.which:
        return again.of_class(_CAPACITY)
    return again.of(find(context.cloud, context.spec, which) for which in request.which)


def _tell(
    request: RetryRequest,
    context: Context,
    again: Again,
    found: Answer,
    outcomes: list[Outcome],
) -> None:
    output_bucket = context.spec.names.bucket("output")
    if request.output is Output.JSON:
        print_json(
            {
                "schema": "gpupipe.executions-retry/1",
                "output_bucket": output_bucket,
                "files": [file_json(one) for one in outcomes],
                "left_alone": [
                    {"what": what, "why": why} for what, why in again.left_alone.items()
                ],
                "summary": found.summary(),
            }
        )
        return
    for what, why in again.left_alone.items():
        say(answer(), f"Left alone {what}: {why}")
    if outcomes:
        print_files(answer(), output_bucket, outcomes)
    elif not again.left_alone:
        say(answer(), "There is nothing to send again.")
