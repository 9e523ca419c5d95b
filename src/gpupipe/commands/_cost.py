"""What `gpupipe cost` does: read what there is, reckon, show."""

import math
from dataclasses import dataclass
from decimal import Decimal

from gpupipe.context import open_context
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.deploy.cost_report import report
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, talk
from gpupipe.render.cost import cost_json, print_cost
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy


@dataclass(frozen=True, slots=True)
class CostRequest:
    """The command line, parsed."""

    flags: Flags
    by_service: bool
    file_seconds: float | None
    output: Output


def run(request: CostRequest) -> int:
    """Carry out the request; the exit code."""
    if request.file_seconds is not None and math.isnan(request.file_seconds):
        raise UsageError("--file-seconds is no number.", resolution="Give seconds, as 2.5.")
    context = open_context(request.flags)
    world = World(context.cloud, context.spec, Facts())
    given = None if request.file_seconds is None else Decimal(str(request.file_seconds))
    with busy(talk(), LOOKING):
        found = report(world, given)
    if request.output is Output.JSON:
        print_json(cost_json(found))
    else:
        local = context.target.is_local
        print_cost(answer(), found, by_service=request.by_service, local=local)
    return Exit.DONE
