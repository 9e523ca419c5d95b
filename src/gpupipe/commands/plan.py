"""`gpupipe plan`: what a deploy would do, and why; it is `deploy --dry-run`."""

from gpupipe.commands._options import (
    Adopt,
    AllowReplace,
    ConfigFile,
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
    Verify,
)
from gpupipe.render.output import Output


def plan(
    *,
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    preset: Preset = None,
    settings: Settings = None,
    config: ConfigFile = None,
    exit_code: ExitCode = False,
    allow_replace: AllowReplace = False,
    adopt: Adopt = False,
    no_rollback: NoRollback = False,
    verify: Verify = False,
    no_canary: NoCanary = False,
    parallelism: Parallelism = 8,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show what a deploy would create, update, replace or delete, and why; write nothing.

    Each field that differs is shown as it is and as it would be. A deploy with the same options
    carries out exactly this plan.

    Examples:

    \b
      gpupipe plan
      gpupipe plan --exit-code    3 when there is anything to do, for a check by a program
      gpupipe plan --output json  also what stays as it is
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
        yes=False,
        dry_run=True,
        exit_code=exit_code,
        allow_replace=allow_replace,
        adopt=adopt,
        rollback=not no_rollback,
        verify=verify,
        canary=not no_canary,
        parallelism=parallelism,
        output=output,
    )
    return run(request)
