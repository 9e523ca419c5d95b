"""`gpupipe plan`: what a deploy would do, and why; it is `deploy --dry-run`."""

from gpupipe.commands._flags import CONFIGURED, with_flags
from gpupipe.commands._options import (
    Adopt,
    AllowReplace,
    ExitCode,
    NoCanary,
    NoRollback,
    OutputAs,
    Parallelism,
    Verify,
)
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(CONFIGURED)
def plan(
    *,
    flags: Flags,
    exit_code: ExitCode = False,
    allow_replace: AllowReplace = False,
    adopt: Adopt = False,
    no_rollback: NoRollback = False,
    verify: Verify = False,
    no_canary: NoCanary = False,
    parallelism: Parallelism = 8,
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
