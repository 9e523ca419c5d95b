"""`gpupipe logs`: what services, workflow, builds and audit logs say."""

from enum import StrEnum
from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


class Source(StrEnum):
    """What has a log."""

    PREPROCESS = "preprocess"
    GPU_INFERENCE = "gpu-inference"
    POSTPROCESS = "postprocess"
    WORKFLOW = "workflow"
    BUILD = "build"
    AUDIT = "audit"


class Severity(StrEnum):
    """Cloud Logging's severities, the lowest first."""

    DEBUG = "debug"
    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@with_flags(PIPELINE)
def logs(
    sources: Annotated[
        list[Source] | None,
        typer.Argument(
            metavar="[SERVICE|workflow|build|audit]...",
            help="preprocess, gpu-inference, postprocess, workflow, build, audit "
            "[default: what a file goes through].",
        ),
    ] = None,
    *,
    flags: Flags,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Also show what comes, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="As far back: 90s, 15m, 2h, 7d.")
    ] = "1h",
    severity: Annotated[
        Severity | None, typer.Option("--severity", help="Of this severity and above.")
    ] = None,
    grep: Annotated[
        str,
        typer.Option(
            "--grep", metavar="REGEX", help="Only lines, as they are shown, in which this is found."
        ),
    ] = "",
    execution: Annotated[
        str, typer.Option("--execution", metavar="ID", help="Only of this execution.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="LINES", help="Only the last so many.")
    ] = 200,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show log lines of all that a file goes through, merged in the order of their times.

    audit: who changed the pipeline's resources and, with audit_logs, who read and wrote its data.
    Times are UTC. --execution takes an id or its beginning, as `gpupipe executions list` shows it.

    Examples:

    \b
      gpupipe logs --severity warning --since 1d
      gpupipe logs gpu-inference -f
      gpupipe logs build --limit 40
      gpupipe logs audit --grep objects.get
    """
    from gpupipe.commands._logs import LogsRequest, run

    return run(
        LogsRequest(
            flags,
            tuple(one.value for one in sources or ()),
            follow=follow,
            since=since,
            severity=severity.value.upper() if severity else "",
            grep=grep,
            execution=execution,
            limit=limit,
            output=output,
        )
    )
