"""`gpupipe cost`: what the pipeline costs, before and after a deploy."""

from enum import StrEnum
from typing import Annotated

import typer

from gpupipe.commands._flags import CONFIGURED, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


class By(StrEnum):
    """How costs are split."""

    ALL = "all"
    SERVICE = "service"


@with_flags(CONFIGURED)
def cost(
    *,
    flags: Flags,
    by: Annotated[By, typer.Option("--by", help="In all, or service by service.")] = By.ALL,
    file_seconds: Annotated[
        float | None,
        typer.Option(
            "--file-seconds",
            min=0.001,
            max=86400,
            help="How long one file takes [default: the mean of the newest].",
        ),
    ] = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show what the configured pipeline costs: idle, running, at worst, for 1,000 files, and so far.

    From a dated table of prices, which names its source; what has no known price is named, not
    guessed. `gpupipe plan` shows what a change does to the cost.

    Examples:

    \b
      gpupipe cost --by service
      gpupipe cost --preset high-performance
    """
    from gpupipe.commands._cost import CostRequest, run

    return run(CostRequest(flags, by is By.SERVICE, file_seconds, output))
