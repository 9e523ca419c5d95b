"""`gpupipe rollback`: give the traffic of the services back to an earlier release."""

from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import DryRun, NoCanary, OutputAs, Yes
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(PIPELINE)
def rollback(
    flags: Flags,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="Release [default: the one before]."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_canary: NoCanary = False,
    output: OutputAs = Output.TEXT,
) -> int:
    """Give the traffic of the three services back to an earlier release, or to a later one.

    A release is what one deploy rolled out. Only the traffic moves: nothing is built, and workflow,
    buckets and grants stay as they are. The next deploy leaves it so until something else is wanted.

    Examples:

    \b
      gpupipe rollback --dry-run               the releases, and what would be done
      gpupipe rollback                         to the release before
      gpupipe rollback --to 20260131-120000    to this one, be it older or newer
    """
    from gpupipe.commands._rollback import RollbackRequest, run

    request = RollbackRequest(
        flags=flags, to=to, yes=yes, dry_run=dry_run, canary=not no_canary, output=output
    )
    return run(request)
