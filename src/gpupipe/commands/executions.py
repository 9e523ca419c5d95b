"""`gpupipe executions`: the runs of the workflow, one for each file."""

from enum import StrEnum
from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

app = typer.Typer(no_args_is_help=True, help="See, end and repeat the runs of the workflow.")
Which = Annotated[
    str,
    typer.Argument(
        metavar="WHICH", help="An execution's id or its beginning, a file, or a result."
    ),
]


class State(StrEnum):
    """Workflow Executions' words."""

    ACTIVE = "active"
    QUEUED = "queued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.command("list")
@with_flags(PIPELINE)
def list_(
    *,
    flags: Flags,
    state: Annotated[
        State | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many at most.")] = 25,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show the executions, newest first; those of canary files are left out.

    Examples:

    \b
      gpupipe executions list
      gpupipe executions list --state failed --limit 100
    """
    from gpupipe.commands._executions import ListRequest, run_list

    return run_list(ListRequest(flags, state.value.upper() if state else "", limit, output))


@app.command()
@with_flags(PIPELINE)
def show(
    which: Which,
    *,
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show the life of one file: when it came, each step, on which device, and what came out.

    Of a failed one also the error, what the services said, and what usually helps.

    Examples:

    \b
      gpupipe executions show 3f2a9c1e
      gpupipe executions show mails/a.txt
      gpupipe executions show results/mails/a.txt.1795669304855100.json
    """
    from gpupipe.commands._executions import ShowRequest, run_show

    return run_show(ShowRequest(flags, which, output))


@app.command()
@with_flags(PIPELINE)
def cancel(
    which: Annotated[
        list[str], typer.Argument(metavar="WHICH...", help="Ids or their beginnings, or files.")
    ],
    *,
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """End executions that run. Their files have no outcome then; `retry` sends them again.

    Examples:

    \b
      gpupipe executions cancel 3f2a9c1e
    """
    from gpupipe.commands._executions import CancelRequest, run_cancel

    return run_cancel(CancelRequest(flags, tuple(which), output))


@app.command()
@with_flags(PIPELINE)
def retry(
    which: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WHICH]...",
            help="Executions, files or results [default: all that failed for want of room].",
        ),
    ] = None,
    *,
    flags: Flags,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Follow each file to its outcome, or only start."),
    ] = True,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1, metavar="SECONDS", help="Stop waiting when so long nothing ends."
        ),
    ] = 600.0,
    output: OutputAs = Output.TEXT,
) -> int:
    """Start executions once more for files that have no result, of the very same generation.

    A result replaces what an error record says. Files that have a result are left alone.

    Examples:

    \b
      gpupipe executions retry                every file of the class `capacity`
      gpupipe executions retry mails/a.txt
    """
    from gpupipe.commands._executions_retry import RetryRequest, run_retry

    return run_retry(RetryRequest(flags, tuple(which or ()), wait, timeout, output))
