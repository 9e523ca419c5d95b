"""`gpupipe destroy`: remove the pipeline, then prove that nothing is left."""

from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import PREFIX_HELP, DryRun, OutputAs, Yes
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

RecipesPrefix = Annotated[
    str | None, typer.Option("--prefix", "--service-prefix", "-s", help=PREFIX_HELP)
]


@with_flags(PIPELINE | {"prefix": (RecipesPrefix, None)})
def destroy(
    *,
    flags: Flags,
    yes: Yes = False,
    dry_run: DryRun = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep the input, models and output buckets.")
    ] = False,
    keep_images: Annotated[
        bool,
        typer.Option("--keep-images", "-k", help="Keep the Docker repository with its images."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Go on after a removal that failed.")
    ] = False,
    output: OutputAs = Output.TEXT,
) -> int:
    """List what will be removed, ask, remove it, and take an inventory of what is left.

    What the project shares (enabled APIs, Google's own agents) stays and is listed. Exit code 5
    says that something is still there. Where there is nothing of that prefix, the pipelines that
    there are get listed.

    Examples:

    \b
      gpupipe destroy --dry-run    what would be removed
      gpupipe destroy --yes        remove it, ask nothing
      gpupipe destroy --keep-data  all but your files, models and results
    """
    from gpupipe.commands._destroy import DestroyRequest, run

    request = DestroyRequest(
        flags=flags,
        yes=yes,
        dry_run=dry_run,
        keep_data=keep_data,
        keep_images=keep_images,
        force=force,
        output=output,
    )
    return run(request)
