"""`gpupipe status`: what exists, whether it is healthy, and what happened lately."""

from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.core.flags import Flags
from gpupipe.render.output import StatusOutput


@with_flags(PIPELINE)
def status(
    flags: Flags,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Also ask each service for its health; one may have to start for it."
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew all the time, until Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=1, metavar="SECONDS", help="Between two looks.")
    ] = 5.0,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit 3 when it is not healthy, or not there at all."),
    ] = False,
    output: Annotated[
        StatusOutput,
        typer.Option("--output", "-o", help="The answer on stdout; env: lines for `eval`."),
    ] = StatusOutput.TEXT,
) -> int:
    """Show each resource with its state read from the API, health and the last executions.

    Where there is nothing of that prefix, it lists the pipelines that there are. --check calls
    /health as the workflow's account, the only one that may call the services.

    Examples:

    \b
      gpupipe status
      gpupipe status --check --exit-code
      gpupipe status --watch
      eval "$(gpupipe status --output env)"
      gpupipe status --prefix other
      gpupipe status --project my-project --output json
    """
    from gpupipe.commands._status import StatusRequest, run

    return run(
        StatusRequest(
            flags,
            check=check,
            watch_s=interval if watch else None,
            exit_code=exit_code,
            output=output,
        )
    )
