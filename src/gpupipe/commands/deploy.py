"""`gpupipe deploy`: bring the pipeline into being, or up to date."""

from gpupipe.commands._options import (
    Adopt,
    AllowReplace,
    ConfigFile,
    DryRun,
    ExitCode,
    Impersonate,
    Local,
    NoCanary,
    NoRollback,
    OutputAs,
    Parallelism,
    Prefix,
    Preset,
    Project,
    Region,
    Settings,
    SkipPreflight,
    Verify,
    Yes,
)
from gpupipe.render.output import Output


def deploy(
    *,
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    preset: Preset = None,
    settings: Settings = None,
    config: ConfigFile = None,
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
      gpupipe deploy --dry-run             what would be done, and why (`gpupipe plan`)
    """
    from gpupipe.commands._deploy import DeployRequest, run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        preset=preset,
        settings=tuple(settings or ()),
        config=config,
        impersonate_service_account=impersonate_service_account,
    )
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
