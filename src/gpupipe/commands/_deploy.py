"""What `gpupipe deploy` does: plan, ask, carry out, prove, sum up."""

from dataclasses import dataclass

from gpupipe.commands._interrupt import stopping
from gpupipe.commands._question import ask
from gpupipe.context import Context, open_context, require_named_project
from gpupipe.core.config import Flags
from gpupipe.core.errors import Exit
from gpupipe.deploy.engine import Deployed, Engine
from gpupipe.deploy.planner import Plan
from gpupipe.render.console import answer, say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.plan import plan_json, print_plan
from gpupipe.render.progress import LOOKING, busy, progress
from gpupipe.render.summary import deployed_json, print_deployed


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """The command line, parsed."""

    flags: Flags
    yes: bool
    dry_run: bool
    verify: bool
    canary: bool
    parallelism: int
    output: Output


def run(request: DeployRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    with stopping(context.clock) as stop:
        engine = Engine(
            context.cloud,
            context.spec,
            context.clock,
            parallelism=request.parallelism,
            cancel=stop.cancel,
        )
        with busy(talk(), LOOKING):
            plan = engine.plan()
        notes = tuple(engine.world.facts.notes.values())
        if request.dry_run:
            return _show(request, plan, notes)
        if not _may_go_on(request, context, plan, notes):
            say(talk(), "Nothing was done.")
            return Exit.DONE
        stop.begin()
        done = engine.deploy(
            plan,
            lambda actions: progress(talk(), actions, context.clock),
            send_canary=request.canary,
            verify=request.verify,
        )
    _tell(request, context, done)
    if done.outcome.failed:
        return Exit.INTERRUPTED if stop.cancel.is_set() else Exit.FAILED
    return Exit.DONE


def _show(request: DeployRequest, plan: Plan, notes: tuple[str, ...]) -> int:
    if request.output is Output.JSON:
        print_json(plan_json(plan.actions, notes))
    else:
        print_plan(answer(), plan.actions, notes)
    return Exit.DONE


def _may_go_on(
    request: DeployRequest, context: Context, plan: Plan, notes: tuple[str, ...]
) -> bool:
    """Show the plan; ask before billable things are made on Google Cloud."""
    print_plan(talk(), plan.actions, notes)
    if not plan.writes or context.target.is_local:
        return True
    if not any(one.verb == "keep" and one.kind == "bucket" for one in plan.actions):
        require_named_project(context.target)
    return request.yes or ask(
        f"Deploy to the project {context.target.project}? It will cost money."
    )


def _tell(request: DeployRequest, context: Context, done: Deployed) -> None:
    if request.output is Output.JSON:
        print_json(deployed_json(context.target, context.spec, done))
    else:
        print_deployed(answer(), context.target, context.spec, done)
