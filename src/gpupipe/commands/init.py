"""`gpupipe init`: write gpupipe.toml, by questions or by options."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._options import Prefix, Preset, Region, Settings


def init(
    *,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Google Cloud project.")
    ] = None,
    region: Region = None,
    prefix: Prefix = None,
    preset: Preset = None,
    settings: Settings = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The file to write [default: gpupipe.toml in this folder]."),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take over the recipe's terraform.tfvars."),
    ] = None,
    eject: Annotated[
        bool,
        typer.Option("--eject", help="Write the packaged workflow and services beside the file."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: what is not given has its default.")
    ] = False,
) -> int:
    """Write gpupipe.toml: asks for project, region, prefix and preset, or takes them as options.

    What the file says already stays, comments too; run it again to change a value. With --from
    the variables of the recipe become options, and those that mean nothing any more are named.

    Examples:

    \b
      gpupipe init
      gpupipe init --yes --project my-project --preset development
      gpupipe init --from terraform.tfvars
      gpupipe init --eject                 the workflow and the services, to be changed
    """
    from gpupipe.commands._init import InitRequest, run

    request = InitRequest(
        given={"project": project, "region": region, "prefix": prefix, "preset": preset},
        settings=tuple(settings or ()),
        file=config,
        source=from_file,
        eject=eject,
        yes=yes,
    )
    return run(request)
