"""`gpupipe status`: what exists, whether it is healthy, and what happened lately."""

from gpupipe.commands._options import (
    ConfigFile,
    Impersonate,
    Local,
    OutputAs,
    Prefix,
    Project,
    Region,
)
from gpupipe.render.output import Output


def status(
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    config: ConfigFile = None,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show each resource with its state read from the API, health and the last executions.

    Where there is nothing of that prefix, it lists the pipelines that there are.

    Examples:

    \b
      gpupipe status
      gpupipe status --prefix other
      gpupipe status --project my-project --output json
    """
    from gpupipe.commands._status import StatusRequest, run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        config=config,
        impersonate_service_account=impersonate_service_account,
    )
    return run(StatusRequest(flags, output=output))
