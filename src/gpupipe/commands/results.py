"""`gpupipe results`: what came out of the pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

app = typer.Typer(no_args_is_help=True, help="List and get what came out of the pipeline.")


@app.command("list")
@with_flags(PIPELINE)
def list_(
    inputs: Annotated[
        str, typer.Argument(metavar="[PREFIX]", help="Only of inputs whose names begin so.")
    ] = "",
    *,
    flags: Flags,
    failed: Annotated[bool, typer.Option("--failed", help="Only error records.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many at most.")] = 100,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show results and error records in the order of their inputs' names.

    Each generation of an input has a line of its own. An error record beside a result of the same
    generation does not count.

    Examples:

    \b
      gpupipe results list
      gpupipe results list mails/ --failed
    """
    from gpupipe.commands._results import ListRequest, run_list

    return run_list(ListRequest(flags, inputs, failed=failed, limit=limit, output=output))


@app.command()
@with_flags(PIPELINE)
def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="An input's name; with --out also a PREFIX ending in /."
        ),
    ],
    *,
    flags: Flags,
    generation: Annotated[
        int | None, typer.Option("--generation", help="Of this generation [default: the newest].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write files below this folder.")
    ] = None,
) -> int:
    """Print the result of an input as JSON, or write results to files.

    Where the input failed it is the error record, and the exit code is 1. A result of more than
    1,000 items has them in an object beside it; --out fetches that too.

    Examples:

    \b
      gpupipe results get mails/a.txt
      gpupipe results get mails/ --out got/   all below mails/
    """
    from gpupipe.commands._results import GetRequest, run_get

    return run_get(GetRequest(flags, name, generation, out))
