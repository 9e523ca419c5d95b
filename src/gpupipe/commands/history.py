"""`gpupipe history`: who deployed or destroyed the pipeline when, and how that ended."""

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


def history(
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    config: ConfigFile = None,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show the runs that changed the pipeline, newest first: when, by whom, with what result.

    The records lie in the staging bucket. A destroy copies them to this machine first; its own
    record and those are shown from here. A run that was killed has none.

    Examples:

    \b
      gpupipe history
      gpupipe history --output json  with each change
    """
    from gpupipe.commands._history import HistoryRequest, run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        config=config,
        impersonate_service_account=impersonate_service_account,
    )
    return run(HistoryRequest(flags, output=output))
