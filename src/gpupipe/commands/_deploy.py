"""What `gpupipe deploy` does: plan, ask, carry out, prove, sum up."""

from collections.abc import Callable
from dataclasses import dataclass

from gpupipe.commands._interrupt import stopping
from gpupipe.commands._question import ask
from gpupipe.context import Context, open_context, require_named_project
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.deploy.cost_report import plan_notes
from gpupipe.deploy.engine import Deployed, Engine
from gpupipe.deploy.planner import Plan
from gpupipe.deploy.preflight.checks import deploys, preflight, stopping_error
from gpupipe.deploy.preflight.finding import Level
from gpupipe.deploy.step import Choices
from gpupipe.render.console import answer, say, talk
from gpupipe.render.findings import print_findings
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.plan import Shown, plan_json, print_plan
from gpupipe.render.progress import LOOKING, busy, progress
from gpupipe.render.summary import deployed_json, print_deployed


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """The command line, parsed."""

    flags: Flags
    yes: bool
    dry_run: bool
    exit_code: bool
    allow_replace: bool
    adopt: bool
    rollback: bool
    verify: bool
    canary: bool
    parallelism: int
    output: Output
    preflight: bool = True


def run(request: DeployRequest) -> int:
    """Carry out the request; the exit code."""
    if request.exit_code and not request.dry_run:
        raise UsageError(
            "--exit-code is for a dry run.",
            resource="--exit-code",
            resolution="Use it with `gpupipe plan`, or with --dry-run.",
            doc="reference/cli.md#plan",
        )
    return carry_out(request, open_context(request.flags))


def carry_out(
    request: DeployRequest, context: Context, accepted: Callable[[], None] = lambda: None
) -> int:
    """As `run`, in a context of the caller's; `accepted` is called before anything is written."""
    with stopping(context.clock) as stop:
        engine = Engine(
            context.cloud,
            context.spec,
            context.clock,
            parallelism=request.parallelism,
            cancel=stop.cancel,
            allow_replace=request.allow_replace,
            choices=Choices(adopt=request.adopt, rollback=request.rollback),
        )
        with busy(talk(), LOOKING):
            plan = _planned(request, engine)
        proof = engine.sends_canary(plan, send_canary=request.canary, verify=request.verify)
        notes = (*engine.notes(plan), *plan_notes(engine.world, plan))
        shown = Shown(plan.actions, notes, proof)
        if request.dry_run:
            return _show(request, shown)
        if not _may_go_on(request, context, shown):
            say(talk(), "Nothing was done.")
            return Exit.DONE
        accepted()
        stop.begin()
        began = context.clock.monotonic()
        done = engine.deploy(
            plan,
            lambda actions: progress(talk(), actions, context.clock),
            send_canary=request.canary,
            verify=request.verify,
        )
        seconds = context.clock.monotonic() - began
    _tell(request, context, done, seconds)
    if done.outcome.failed and stop.cancel.is_set():
        return Exit.INTERRUPTED
    return done.outcome.exit


def _planned(request: DeployRequest, engine: Engine) -> Plan:
    """The plan, after the preflight where there is something to write; every blocker at once."""
    wanted = request.preflight and not request.dry_run
    try:
        plan = engine.plan()
    except GpupipeError as error:
        stops = stopping_error(preflight(engine.world, deploys())) if wanted else None
        raise stops or error from error
    if not wanted or not plan.writes:
        return plan
    findings = preflight(engine.world, deploys())
    print_findings(talk(), [one for one in findings if one.level is Level.WARNING])
    if stops := stopping_error(findings):
        raise stops
    return plan


def _show(request: DeployRequest, shown: Shown) -> int:
    if request.output is Output.JSON:
        print_json(plan_json(shown))
    else:
        print_plan(answer(), shown)
    return Exit.DIFFERENCES if request.exit_code and shown.writes else Exit.DONE


def _may_go_on(request: DeployRequest, context: Context, shown: Shown) -> bool:
    """Show the plan; ask before billable things are made on Google Cloud."""
    print_plan(talk(), shown)
    if not shown.writes or context.target.is_local:
        return True
    if not any(one.verb == "keep" and one.kind == "bucket" for one in shown.actions):
        require_named_project(context.target)
    return request.yes or ask(
        f"Deploy to the project {context.target.project}? It will cost money."
    )


def _tell(request: DeployRequest, context: Context, done: Deployed, seconds: float) -> None:
    if request.output is Output.JSON:
        print_json(deployed_json(context.target, context.spec, done, seconds))
    else:
        print_deployed(answer(), context.target, context.spec, done, seconds)
