"""What `gpupipe destroy` does: list, ask, remove, take an inventory, report."""

from dataclasses import dataclass

from gpupipe.commands._interrupt import Stopping, stopping
from gpupipe.commands._question import ask, ask_to_type
from gpupipe.context import Context, history_folder, open_context
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.flags import Flags
from gpupipe.deploy.destroy import DATA, Removal, check_protection, plan_removal, prove, remove
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.given_buckets import remembered
from gpupipe.deploy.history import copy, record_in, run_of
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.pipelines import Pipeline, pipelines
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, say, talk
from gpupipe.render.destroy import destroyed_json, print_destroyed, print_removal, removal_json
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.pipelines import print_pipelines
from gpupipe.render.progress import LOOKING, busy, progress

_PARALLELISM = 8


@dataclass(frozen=True, slots=True)
class DestroyRequest:
    """The command line, parsed."""

    flags: Flags
    yes: bool
    dry_run: bool
    keep_data: bool
    keep_images: bool
    force: bool
    output: Output

    @property
    def keep(self) -> frozenset[str]:
        """Keys of the steps whose resource stays."""
        return (DATA if self.keep_data else frozenset()) | (
            frozenset({"repository"}) if self.keep_images else frozenset()
        )

    @property
    def keep_options(self) -> tuple[str, ...]:
        """The same as options."""
        options = {"--keep-data": self.keep_data, "--keep-images": self.keep_images}
        return tuple(option for option, given in options.items() if given)


def run(request: DestroyRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    with stopping(context.clock) as stop:
        return _run(request, context, stop)


def _run(request: DestroyRequest, context: Context, stop: Stopping) -> int:
    with busy(talk(), LOOKING):
        world = remembered(World(context.cloud, context.spec, Facts()))
        removal = plan_removal(world, keep=request.keep, parallelism=_PARALLELISM)
        if not request.dry_run:
            check_protection(world)
    if request.dry_run:
        _show(request, removal, pipelines(context.cloud))
        return Exit.DONE
    print_removal(talk(), removal)
    if not removal.actions:
        print_pipelines(talk(), pipelines(context.cloud))
    elif not _confirmed(request, context):
        say(talk(), "Nothing was removed.")
        return Exit.DONE
    stop.begin()
    folder, began = history_folder(context), context.clock.now()
    start = context.clock.monotonic()
    try:
        copy(context.cloud.storage, context.spec.names.bucket("staging"), folder)
    except GpupipeError:
        if not request.force:
            raise

    def carry_out(asked: Removal) -> Outcome:
        return remove(
            world,
            asked,
            lambda actions: progress(talk(), actions, context.clock),
            clock=context.clock,
            parallelism=_PARALLELISM,
            cancel=stop.cancel,
            force=request.force,
        )

    outcome = carry_out(removal)
    if removal.actions:
        record_in(folder, run_of("destroy", outcome, began, context.clock.now()))
    if stop.cancel.is_set():
        raise InterruptedWaitError
    with busy(talk(), "Taking the inventory"):
        found = prove(
            world, removal, outcome, carry_out, keep=request.keep, parallelism=_PARALLELISM
        )
    seconds = context.clock.monotonic() - start
    return _tell(request, context, world, removal, outcome, found, seconds)


def _tell(
    request: DestroyRequest,
    context: Context,
    world: World,
    removal: Removal,
    outcome: Outcome,
    found: tuple[Leftover, ...],
    seconds: float,
) -> int:
    local = context.target.is_local
    leftovers = {
        one: one.command(context.spec, local=local, keep=request.keep_options) for one in found
    }
    if request.output is Output.JSON:
        there = pipelines(world.cloud)
        print_json(destroyed_json(removal, outcome, leftovers, there, world.facts.held, seconds))
    else:
        print_destroyed(answer(), removal, outcome, leftovers, world.facts.held, seconds)
    if leftovers:
        return Exit.LEFTOVERS
    return outcome.exit


def _show(request: DestroyRequest, removal: Removal, there: tuple[Pipeline, ...]) -> None:
    if request.output is Output.JSON:
        print_json(removal_json(removal, there))
        return
    print_removal(answer(), removal)
    if not removal.actions:
        print_pipelines(answer(), there)


def _confirmed(request: DestroyRequest, context: Context) -> bool:
    if request.yes:
        return True
    prefix = context.spec.names.prefix
    if context.target.is_local:
        return ask(f"Remove the pipeline {prefix} with everything in it?")
    return ask_to_type(f"This removes the pipeline {prefix} with all its data.", prefix)
