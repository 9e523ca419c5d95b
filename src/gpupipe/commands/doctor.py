"""`gpupipe doctor`: what would stop a deploy, and what to do about it."""

from typing import Annotated

import typer

from gpupipe.commands._options import (
    ConfigFile,
    Impersonate,
    Local,
    OutputAs,
    Prefix,
    Preset,
    Project,
    Region,
    Settings,
)
from gpupipe.render.output import Output


def doctor(
    *,
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    preset: Preset = None,
    settings: Settings = None,
    config: ConfigFile = None,
    request_quota: Annotated[
        bool,
        typer.Option("--request-quota", help="Ask Google for the quota that is missing."),
    ] = False,
    contact_email: Annotated[
        str | None,
        typer.Option("--contact-email", help="Whom Google answers about a request for quota."),
    ] = None,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Check credentials, project, billing, permissions, quotas, names and more; write nothing.

    Each finding is ok, a warning, a blocker, or unknown where the answer is not conclusive. Exits
    with 3 where there is a blocker, with 4 where a permission is one. A deploy begins with those
    checks that its plan does not make anyway.

    Examples:

    \b
      gpupipe doctor --project my-project
      gpupipe doctor --preset high-performance --region europe-west4
      gpupipe doctor --request-quota --contact-email me@example.com
    """
    from gpupipe.commands._doctor import DoctorRequest, run
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
    return run(DoctorRequest(flags, request_quota, contact_email, output))
