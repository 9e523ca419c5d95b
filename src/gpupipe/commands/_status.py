"""What `gpupipe status` does: read every resource and the last executions, and show them."""

import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gpupipe.context import Context, open_context
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.activity import activity
from gpupipe.deploy.checks import check_all
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.firing import alerts
from gpupipe.deploy.health import states
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.recipe_outputs import outputs
from gpupipe.deploy.recipe_outputs import read as read_outputs
from gpupipe.deploy.step import World
from gpupipe.render.console import answer, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import StatusOutput
from gpupipe.render.progress import LOOKING, busy
from gpupipe.render.status import Status, print_status, status_env, status_json, watch_lines
from gpupipe.render.summary import options


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """The command line, parsed. watch_s: seconds between two looks, None for one look."""

    flags: Flags
    check: bool
    watch_s: float | None
    exit_code: bool
    output: StatusOutput


def run(request: StatusRequest) -> int:
    """Carry out the request; the exit code. What is watched ends by Ctrl-C, with 130."""
    return carry_out(request, open_context(request.flags))


def carry_out(request: StatusRequest, context: Context) -> int:
    """The same, with what the command works with."""
    if request.watch_s is not None:
        return _watch(request, context, request.watch_s)
    with busy(talk(), LOOKING):
        status = read(context, request)
    _show(request, status)
    return Exit.DIFFERENCES if request.exit_code and not status.healthy else Exit.DONE


def _watch(request: StatusRequest, context: Context, pause_s: float) -> int:
    """Until Ctrl-C: in place on a terminal; elsewhere, and for programs, one after the other."""
    console = answer()
    try:
        if request.output is StatusOutput.TEXT and console.is_terminal:
            _watch_in_place(request, context, pause_s, console)
        while True:
            _show(request, read(context, request))
            context.clock.sleep(pause_s)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _watch_in_place(
    request: StatusRequest, context: Context, pause_s: float, console: Console
) -> NoReturn:
    with busy(talk(), LOOKING):
        status = read(context, request)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(_screen(status), refresh=True)
            context.clock.sleep(pause_s)
            status = read(context, request)


def _screen(status: Status) -> Text:
    lines = Text("\n").join(watch_lines(status))
    lines.no_wrap, lines.overflow = True, "ellipsis"
    return lines


def read(context: Context, request: StatusRequest) -> Status:
    """All that status shows; the reads run at once."""
    world = World(context.cloud, context.spec, Facts())
    cloud, spec = context.cloud, context.spec
    does = world.meanwhile(lambda: activity(world, context.clock.now()))
    watched = world.meanwhile(lambda: alerts(world, context.clock.now()))
    there = world.meanwhile(lambda: pipelines(cloud))
    checks = world.meanwhile(lambda: check_all(cloud, spec) if request.check else ())
    found = states(world)
    uris = dict(world.facts.uris)
    recipes: dict[str, Any] = {}
    if request.output is not StatusOutput.TEXT:
        recipes = outputs(spec, read_outputs(world, uris), options(context.target, spec))
    return Status(
        target=context.target,
        spec=spec,
        resources=found,
        uris=uris,
        activity=does(),
        alerts=watched(),
        pipelines=there(),
        outputs=recipes,
        checks=checks(),
    )


def _show(request: StatusRequest, status: Status) -> None:
    if request.output is StatusOutput.ENV:
        sys.stdout.write(status_env(status))
        if not status.exists:
            print_status(talk(), status)
    elif request.output is StatusOutput.JSON:
        print_json(status_json(status), one_line=request.watch_s is not None)
    else:
        print_status(answer(), status)
    sys.stdout.flush()
