"""`gpupipe local fault|quota|permission|resource|latency|clock`: disturb it on purpose; `incidents`: what fires."""

from typing import Annotated

import typer

from gpupipe.commands._options import OutputAs, Region
from gpupipe.render.output import Output

Project = Annotated[
    str | None,
    typer.Option("--project", "-p", help="Project of the local cloud [default: as deploy has it]."),
]
OfAgent = Annotated[
    str | None,
    typer.Option("--project", "-p", help="Whose agent goes missing [default: as deploy has it]."),
]
OneProject = Annotated[
    str | None,
    typer.Option("--project", "-p", help="Only in this project [default: in all projects]."),
]

fault = typer.Typer(
    no_args_is_help=True, help="Make calls fail, wait or break, a counted number of times."
)
quota = typer.Typer(no_args_is_help=True, help="See and change what a project may use.")
permission = typer.Typer(no_args_is_help=True, help="Take permissions from yourself.")
resource = typer.Typer(
    no_args_is_help=True,
    help="What is there of APIs that are not emulated: networks, connectors, keys.",
)
clock = typer.Typer(no_args_is_help=True, help="The local cloud's clock, which you can move ahead.")


@fault.command("add")
def fault_add(
    words: Annotated[list[str], typer.Argument(metavar="FAULT", help="See above.")],
    project: OfAgent = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Put a fault in force. Example: gpupipe local fault add 'run.services.create:503 x2'

    \b
    METHOD:CODE [retry-after TIME] [xN]   refused before anything is done
    METHOD lost [CODE] [xN]               done, but the answer is lost
    METHOD stall TIME [xN]                held up, then done
    METHOD reset [xN]                     the connection breaks, nothing is done
    METHOD slow TIME [xN]                 its operation takes longer
    METHOD operation CODE [xN]            its operation fails at the end
    event duplicate [xN]                  events are delivered twice
    propagation TIME                      grants, accounts, APIs: effective later
    agent NAME missing                    an API's service agent is taken away

    METHOD is a name as `gpupipe local logs --requests` shows it, CODE an HTTP status or a name
    such as UNAVAILABLE, TIME such as 20s, xN the number of times.
    """
    from gpupipe.commands._local_control import add_fault

    return add_fault(output, " ".join(words), project)


@fault.command("list")
def fault_list(output: OutputAs = Output.TEXT) -> int:
    """Each fault, how often it has struck and what is left. Example: gpupipe local fault list"""
    from gpupipe.commands._local_control import list_faults

    return list_faults(output)


@fault.command("clear")
def fault_clear(output: OutputAs = Output.TEXT) -> int:
    """End all faults; missing agents are made again. Example: gpupipe local fault clear"""
    from gpupipe.commands._local_control import clear_faults

    return clear_faults(output)


@quota.command("set")
def quota_set(
    name: Annotated[str, typer.Argument(metavar="QUOTA", help="Its id, as `quota list` has it.")],
    value: Annotated[str, typer.Argument(help="In the quota's unit; bytes also as 80Gi.")],
    project: Project = None,
    region: Region = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Change a limit. Example: gpupipe local quota set MemAllocPerProjectRegion 80Gi"""
    from gpupipe.commands._local_control import set_quota

    return set_quota(output, name, value, project, region)


@quota.command("list")
def quota_list(
    project: Project = None, region: Region = None, output: OutputAs = Output.TEXT
) -> int:
    """Limit, default and unit of each quota. Example: gpupipe local quota list"""
    from gpupipe.commands._local_control import list_quotas

    return list_quotas(output, project, region)


@permission.command("revoke")
def permission_revoke(
    name: Annotated[str, typer.Argument(metavar="PERMISSION|ROLE")],
    project: OneProject = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Deny yourself a permission, or all of a role. Example: gpupipe local permission revoke run.services.create"""
    from gpupipe.commands._local_control import revoke

    return revoke(output, name, project)


@permission.command("restore")
def permission_restore(
    name: Annotated[str, typer.Argument(metavar="PERMISSION|ROLE")],
    project: OneProject = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Take that back. Example: gpupipe local permission restore run.services.create"""
    from gpupipe.commands._local_control import restore

    return restore(output, name, project)


@permission.command("list")
def permission_list(output: OutputAs = Output.TEXT) -> int:
    """What is denied to you. Example: gpupipe local permission list"""
    from gpupipe.commands._local_control import list_permissions

    return list_permissions(output)


@resource.command("add")
def resource_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its full name.")],
    encrypters: Annotated[
        list[str] | None,
        typer.Option(
            "--encrypter", metavar="EMAIL", help="An account that may use the key; repeat it."
        ),
    ] = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Let something be there that a pipeline may name.

    \b
    projects/P/global/networks/N             projects/P/regions/R/subnetworks/S
    projects/P/locations/L/connectors/C      projects/P/locations/L/keyRings/R/cryptoKeys/K

    Every project has the network `default`, and a subnetwork of that name in each region.

    Example: gpupipe local resource add projects/my-project/global/networks/mine
    """
    from gpupipe.commands._local_control import add_resource

    return add_resource(output, name, encrypters or [])


@resource.command("remove")
def resource_remove(
    name: Annotated[str, typer.Argument(metavar="NAME")], output: OutputAs = Output.TEXT
) -> int:
    """Take it away again. Example: gpupipe local resource remove projects/my-project/global/networks/mine"""
    from gpupipe.commands._local_control import remove_resource

    return remove_resource(output, name)


@resource.command("list")
def resource_list(output: OutputAs = Output.TEXT) -> int:
    """What was added, and who may use each key. Example: gpupipe local resource list"""
    from gpupipe.commands._local_control import list_resources

    return list_resources(output)


def latency(
    wanted: Annotated[
        str, typer.Argument(metavar="none|realistic|FACTOR", help="Shows it when left out.")
    ] = "",
    output: OutputAs = Output.TEXT,
) -> int:
    """Let calls and operations take their typical time. Example: gpupipe local latency realistic

    The times are assumptions of this project (docs/reference/local-cloud.md); a FACTOR multiplies
    them.
    """
    from gpupipe.commands._local_control import set_latency, show_latency

    return set_latency(output, wanted) if wanted else show_latency(output)


@clock.command("show")
def clock_show(output: OutputAs = Output.TEXT) -> int:
    """What time it is in the local cloud. Example: gpupipe local clock show"""
    from gpupipe.commands._local_control import show_clock

    return show_clock(output)


@clock.command("advance")
def clock_advance(
    duration: Annotated[str, typer.Argument(help="90s, 10m, 1h30m, 2d.")],
    output: OutputAs = Output.TEXT,
) -> int:
    """Move the clock ahead; what is due then happens now. Example: gpupipe local clock advance 90s"""
    from gpupipe.commands._local_control import advance_clock

    return advance_clock(output, duration)


def incidents(project: Project = None, output: OutputAs = Output.TEXT) -> int:
    """What fires, and has fired, by the alert policies of a project. Example: gpupipe local incidents"""
    from gpupipe.commands._local_control import list_incidents

    return list_incidents(output, project)


def mount(app: typer.Typer) -> None:
    """Add the commands of this module to `gpupipe local`."""
    for name, group in (
        ("fault", fault),
        ("quota", quota),
        ("permission", permission),
        ("resource", resource),
        ("clock", clock),
    ):
        app.add_typer(group, name=name)
    app.command("latency")(latency)
    app.command("incidents")(incidents)
