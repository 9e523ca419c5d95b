"""`gpupipe process`: files that were in the input bucket before the pipeline."""

from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(PIPELINE)
def process(
    address: Annotated[
        str, typer.Argument(metavar="gs://BUCKET/PREFIX", help="Objects of the input bucket.")
    ],
    *,
    flags: Flags,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Take those with an error record too.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Start so many executions at most.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow each to its outcome.")
    ] = True,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1, metavar="SECONDS", help="Stop waiting when so long no result comes."
        ),
    ] = 600.0,
    output: OutputAs = Output.TEXT,
) -> int:
    """Start an execution for each object that has no outcome, as its event would have done.

    For files that were there before the trigger. What has a result or an error record, and what an
    execution works on, is left alone: it can be run again at any time. At most 500 are under way
    at a time, however many objects there are.

    Examples:

    \b
      gpupipe process gs://ml-pipeline-input-my-project/
      gpupipe process gs://ml-pipeline-input-my-project/mails/ --limit 100
    """
    from gpupipe.commands._process import ProcessRequest, run

    request = ProcessRequest(
        flags,
        address,
        retry_failed=retry_failed,
        limit=limit,
        wait=wait,
        timeout_s=timeout,
        output=output,
    )
    return run(request)
