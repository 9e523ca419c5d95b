"""`gpupipe doctor`: what would stop a deploy, and what to do about it."""

from typing import Annotated

import typer

from gpupipe.commands._flags import CONFIGURED, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(CONFIGURED)
def doctor(
    *,
    flags: Flags,
    request_quota: Annotated[
        bool,
        typer.Option("--request-quota", help="Ask Google for the quota that is missing."),
    ] = False,
    contact_email: Annotated[
        str | None,
        typer.Option("--contact-email", help="Whom Google answers about a request for quota."),
    ] = None,
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

    return run(DoctorRequest(flags, request_quota, contact_email, output))
