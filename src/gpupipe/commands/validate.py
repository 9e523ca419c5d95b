"""`gpupipe validate`: a deployed pipeline proven with work."""

from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(PIPELINE)
def validate(
    *,
    flags: Flags,
    load: Annotated[
        int, typer.Option("--load", min=0, max=5000, metavar="FILES", help="So many at once, too.")
    ] = 0,
    settle: Annotated[
        str,
        typer.Option(
            "--settle", metavar="DURATION", help="Wait so long for the instances to end again."
        ),
    ] = "0s",
    output: OutputAs = Output.TEXT,
) -> int:
    """Ask the services for their health, send a canary file and, with --load, many files at once.

    The files are removed afterwards. They cost what any files cost. Exit code 3 when one verdict
    is `failed`; `not measured` says what is missing to know it.

    Examples:

    \b
      gpupipe validate
      gpupipe validate --load 50 --settle 20m
    """
    from gpupipe.commands._validate import ValidateRequest, run

    return run(ValidateRequest(flags, load, settle, output))
