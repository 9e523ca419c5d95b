"""`gpupipe workflow`: what helps to write a workflow."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._options import OutputAs, Region
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

app = typer.Typer(no_args_is_help=True, help="Check a workflow, and run it in the local cloud.")


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A workflow in YAML or JSON.")],
    output: OutputAs = Output.TEXT,
) -> int:
    """Show every fault for which a workflow would be refused, without any cloud.

    Each fault comes with its line, its column and a marker below its place. Exit code 2: there
    are faults. What the local cloud does not run, such as most connectors, counts as a fault.

    Example: gpupipe workflow validate pipeline.yaml
    """
    from gpupipe.commands._workflow import run_validate

    return run_validate(file, output)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A workflow in YAML or JSON.")],
    data: Annotated[
        str, typer.Option("--data", metavar="JSON", help="The argument of the execution.")
    ] = "null",
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="A variable of the workflow; repeat it."),
    ] = None,
    account: Annotated[
        str,
        typer.Option(
            "--account",
            metavar="EMAIL",
            help="The service account that it runs as [default: one that may only write logs].",
        ),
    ] = "",
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="A project of the local cloud.")
    ] = None,
    region: Region = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Run a workflow once in the local cloud, and show its steps as they begin.

    The result is written on stdout. An error is shown under its line of the source, exit code 1.
    Nothing is left but the account.

    Examples:

    \b
      gpupipe workflow run flow.yaml --data '{"name": "a.txt"}'
      gpupipe workflow run flow.yaml --env COLOUR=blue --output json
    """
    from gpupipe.commands._workflow_run import RunRequest, run_workflow

    flags = Flags(local=True, project=project, region=region)
    return run_workflow(RunRequest(flags, file, data, tuple(env or ()), account, output))
