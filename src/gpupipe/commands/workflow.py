"""`gpupipe workflow`: what helps to write a workflow."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._options import OutputAs
from gpupipe.render.output import Output

app = typer.Typer(no_args_is_help=True, help="Check a workflow before it is deployed.")


@app.callback()
def _group() -> None:
    """Keeps `validate` a command of its own while it is the only one."""


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
