"""What `gpupipe local` does: the daemon's life and its addresses."""

import sys
from collections.abc import Mapping

from gpupipe.commands._question import ask
from gpupipe.context import local_home
from gpupipe.core.errors import Exit
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output


def run_start(output: Output) -> int:
    """Start it, unless it runs."""
    return _say(output, running(), "The local cloud runs")


def run_status(output: Output) -> int:
    """Whether it runs, and where; starts nothing."""
    info = daemon.status(local_home())
    if info is None:
        if output is Output.JSON:
            print_json({"schema": "gpupipe.local/1", "running": False})
        else:
            print("The local cloud does not run. Start it with: gpupipe local start")
        return Exit.DONE
    unusual = daemon.call(info, "GET", "/control/status")["unusual"]
    return _say(output, info, "The local cloud runs", unusual)


def run_stop(output: Output) -> int:
    """Stop it with everything that it runs."""
    stopped = daemon.stop(local_home())
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local/1", "running": False, "stopped": stopped})
    else:
        print("The local cloud has stopped; its state is kept." if stopped else "It did not run.")
    return Exit.DONE


def run_reset(output: Output, *, yes: bool) -> int:
    """Forget everything that it holds."""
    if not yes and not ask("Forget every project, bucket and object of the local cloud?"):
        print("Nothing was forgotten.", file=sys.stderr)
        return Exit.DONE
    info = running()
    daemon.call(info, "POST", "/control/reset")
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local/1", "reset": True})
    else:
        print("The local cloud is empty.")
    return Exit.DONE


def running() -> DaemonInfo:
    """The local cloud, started when it does not run; what had to be done is told on stderr."""
    info = daemon.ensure_running(local_home())
    if info.notice:
        print(info.notice, file=sys.stderr)
    return info


def _say(
    output: Output, info: DaemonInfo, words: str, unusual: Mapping[str, float] | None = None
) -> int:
    if output is Output.JSON:
        print_json(
            {
                "schema": "gpupipe.local/1",
                "running": True,
                "pid": info.pid,
                "version": info.version,
                "grpc": info.grpc,
                "http": info.http,
                "project": info.project,
                "region": info.region,
                "home": str(local_home()),
                **({} if unusual is None else {"unusual": unusual}),
            }
        )
    else:
        print(f"{words}: process {info.pid}, {info.http} and gRPC {info.grpc}.")
        print(f"  Its state is in {local_home()}; logs: gpupipe local logs")
        if unusual:
            settings = ", ".join(f"{name} {value:g}" for name, value in unusual.items())
            print(f"  It does not behave as usual: {settings}")
    return Exit.DONE
