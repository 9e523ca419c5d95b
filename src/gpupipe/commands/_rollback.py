"""What `gpupipe rollback` does: show the releases, ask, turn the traffic, prove it."""

from dataclasses import dataclass

from gpupipe.commands._interrupt import stopping
from gpupipe.commands._question import ask
from gpupipe.context import Context, open_context
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.rollback import Rollback, RolledBack, plan_rollback, roll_back
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy, progress
from gpupipe.render.rollback import (
    print_rollback,
    print_rolled_back,
    rollback_json,
    rolled_back_json,
)


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """The command line, parsed."""

    flags: Flags
    to: str | None
    yes: bool
    dry_run: bool
    canary: bool
    output: Output


def run(request: RollbackRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    world = World(context.cloud, context.spec, Facts())
    with stopping(context.clock) as stop:
        with busy(talk(), LOOKING):
            planned = plan_rollback(world, request.to)
        if request.dry_run:
            if request.output is Output.JSON:
                print_json(rollback_json(planned))
            else:
                print_rollback(answer(), planned)
            return Exit.DONE
        print_rollback(talk(), planned)
        if not _may_go_on(request, context, planned):
            say(talk(), "Nothing was done.")
            return Exit.DONE
        stop.begin()
        done = RolledBack(planned, Outcome(), None)
        if planned.turns:
            done = roll_back(
                world,
                planned.to,
                context.clock,
                lambda actions: progress(talk(), actions, context.clock),
                send_canary=request.canary,
            )
    if request.output is Output.JSON:
        print_json(rolled_back_json(done))
    else:
        print_rolled_back(answer(), done)
    return done.outcome.exit


def _may_go_on(request: RollbackRequest, context: Context, planned: Rollback) -> bool:
    if request.yes or context.target.is_local or not planned.turns:
        return True
    return ask(f"Roll back the pipeline {context.spec.names.prefix} to {planned.to}?")
