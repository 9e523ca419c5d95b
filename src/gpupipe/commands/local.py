"""`gpupipe local`: start, stop, look into and reset the local cloud; `local_control` has the rest."""

from typing import Annotated

import typer

from gpupipe.commands import local_control
from gpupipe.commands._options import OutputAs
from gpupipe.core.errors import UsageError
from gpupipe.render.output import Output

app = typer.Typer(
    no_args_is_help=True,
    help="The local cloud: one daemon on loopback that speaks the Google Cloud APIs.\n\n"
    "Every command that needs it starts it. GPUPIPE_HOME names the folder that holds its state.\n\n"
    "Examples:\n\n"
    "\b\n"
    "  gpupipe local status\n"
    "  gpupipe local logs --requests\n"
    '  eval "$(gpupipe local env)"',
)


@app.command()
def start(output: OutputAs = Output.TEXT) -> int:
    """Start the local cloud, unless it runs.

    Example: gpupipe local start
    """
    from gpupipe.commands._local import run_start

    return run_start(output)


@app.command()
def stop(output: OutputAs = Output.TEXT) -> int:
    """Stop it with everything that it runs; its state is kept.

    Example: gpupipe local stop
    """
    from gpupipe.commands._local import run_stop

    return run_stop(output)


@app.command()
def status(output: OutputAs = Output.TEXT) -> int:
    """Whether it runs, and where; starts nothing.

    Example: gpupipe local status --output json
    """
    from gpupipe.commands._local import run_status

    return run_status(output)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the question.")] = False,
    output: OutputAs = Output.TEXT,
) -> int:
    """Forget everything that the local cloud holds.

    Its projects, buckets, objects, images and accounts are gone; services end, and so do faults,
    latency, quotas and revoked permissions. A clock that was moved stays ahead.

    Example: gpupipe local reset --yes
    """
    from gpupipe.commands._local import run_reset

    return run_reset(output, yes=yes)


@app.command()
def env(output: OutputAs = Output.TEXT) -> int:
    """Print what gives any Google client this cloud.

    Lines for the shell: an identity in it, its address, project and region. They name files
    and addresses, never a token.

    Examples:

    \b
      eval "$(gpupipe local env)"
      gpupipe local env --output json
    """
    from gpupipe.commands._local_env import run_env

    return run_env(output)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def gcloud(
    arguments: Annotated[
        list[str], typer.Argument(metavar="-- ARGS", help="What gcloud is to do.")
    ],
) -> int:
    """Run the installed gcloud on the local cloud.

    It has a configuration of its own: yours is neither read nor changed. Project and region are
    those that `deploy --local` would take here; gcloud's --project says otherwise.

    Examples:

    \b
      gpupipe local gcloud -- storage ls
      gpupipe local gcloud -- run services list --format json
    """
    from gpupipe.commands._local_gcloud import run_gcloud

    run_gcloud(arguments)


@app.command()
def logs(
    requests: Annotated[
        bool, typer.Option("--requests", help="The API calls instead of the daemon's own lines.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="NUMBER|TIME", help="Only calls after this one, or of the last 5m."
        ),
    ] = "",
    output: OutputAs = Output.TEXT,
) -> int:
    """What the daemon says, or which API calls it got. Example: gpupipe local logs --requests -f

    With --follow, --output json writes one document a line.
    """
    from gpupipe.commands._local_logs import show_lines, show_requests

    if requests:
        return show_requests(output, since or "0", follow=follow)
    if since:
        raise UsageError(
            "The daemon's own lines have no numbers: --since is for calls.",
            resolution="Add --requests, or leave --since out.",
            doc="reference/cli.md",
        )
    return show_lines(output, follow=follow)


local_control.mount(app)
