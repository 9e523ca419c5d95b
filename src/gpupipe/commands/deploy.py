"""`gpupipe deploy`: bring the pipeline into being, or up to date."""

from gpupipe.commands._flags import CONFIGURED, with_flags
from gpupipe.commands._options import (
    Adopt,
    AllowReplace,
    DryRun,
    ExitCode,
    NoCanary,
    NoRollback,
    OutputAs,
    Parallelism,
    SkipPreflight,
    Verify,
    Yes,
)
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(CONFIGURED)
def deploy(
    *,
    flags: Flags,
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
    allow_replace: AllowReplace = False,
    adopt: Adopt = False,
    no_rollback: NoRollback = False,
    verify: Verify = False,
    no_canary: NoCanary = False,
    skip_preflight: SkipPreflight = False,
    parallelism: Parallelism = 8,
    output: OutputAs = Output.TEXT,
) -> int:
    """Deploy the pipeline, or bring it up to date; run it again to finish what was cut off.

    Nothing is asked on the local cloud. On Google Cloud you are asked first, since it costs
    money. The first deploy builds three images and takes some minutes.

    Examples:

    \b
      gpupipe deploy                       the local cloud, if no project is set
      gpupipe deploy --project my-project  Google Cloud
      gpupipe deploy --dry-run             what would be done, and why (`gpupipe plan`)
    """
    from gpupipe.commands._deploy import DeployRequest, run

    request = DeployRequest(
        flags=flags,
        yes=yes,
        dry_run=dry_run,
        exit_code=exit_code,
        allow_replace=allow_replace,
        adopt=adopt,
        rollback=not no_rollback,
        verify=verify,
        canary=not no_canary,
        preflight=not skip_preflight,
        parallelism=parallelism,
        output=output,
    )
    return run(request)
