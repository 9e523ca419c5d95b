"""`gpupipe deploy`: bring the pipeline into being, or up to date."""

from typing import Annotated

import typer

from gpupipe.commands._options import (
    ConfigFile,
    DryRun,
    Impersonate,
    Local,
    OutputAs,
    Prefix,
    Project,
    Region,
    Yes,
)
from gpupipe.render.output import Output


def deploy(  # one parameter an option
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    config: ConfigFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Send the canary file even when nothing changed.")
    ] = False,
    no_canary: Annotated[
        bool, typer.Option("--no-canary", help="Do not send a canary file at the end.")
    ] = False,
    parallelism: Annotated[
        int, typer.Option("--parallelism", min=1, max=32, help="Steps that run at once.")
    ] = 8,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Deploy the pipeline, or bring it up to date; run it again to finish what was cut off.

    Nothing is asked on the local cloud. On Google Cloud you are asked first, since it costs
    money. The first deploy builds three images and takes some minutes.

    Examples:

    \b
      gpupipe deploy                       the local cloud, if no project is set
      gpupipe deploy --project my-project  Google Cloud
      gpupipe deploy --dry-run             what would be done, and why
    """
    from gpupipe.commands._deploy import DeployRequest, run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        config=config,
        impersonate_service_account=impersonate_service_account,
    )
    request = DeployRequest(
        flags=flags,
        yes=yes,
        dry_run=dry_run,
        verify=verify,
        canary=not no_canary,
        parallelism=parallelism,
        output=output,
    )
    return run(request)
