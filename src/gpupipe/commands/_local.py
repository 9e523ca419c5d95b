"""What `gpupipe local` does: the daemon's life, its addresses, its logs."""

import sys
from typing import Any

from gpupipe.commands._question import ask
from gpupipe.context import local_home
from gpupipe.core.errors import Exit
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

_PAGE = 1000
_LOG_LINES = 200


def run_start(output: Output) -> int:
    """Start it, unless it runs."""
    return _say(output, _running(), "The local cloud runs")


def run_status(output: Output) -> int:
    """Whether it runs, and where; starts nothing."""
    info = daemon.status(local_home())
    if info is None:
        if output is Output.JSON:
            print_json({"schema": "gpupipe.local/1", "running": False})
        else:
            print("The local cloud does not run. Start it with: gpupipe local start")
        return Exit.DONE
    return _say(output, info, "The local cloud runs")


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
    info = _running()
    daemon.call(info, "POST", "/control/reset")
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local/1", "reset": True})
    else:
        print("The local cloud is empty.")
    return Exit.DONE


def run_env(output: Output) -> int:
    """What any Google client needs to use this cloud; never the value of a token."""
    info = _running()
    if output is Output.JSON:
        print_json(
            {
                "grpc": info.grpc,
                "http": info.http,
                "token_file": str(info.token_file),
                "adc_file": str(info.adc_file),
                "project": info.project,
                "project_number": info.project_number,
                "region": info.region,
            }
        )
        return Exit.DONE
    for name, value in (
        ("GOOGLE_APPLICATION_CREDENTIALS", str(info.adc_file)),
        ("GOOGLE_CLOUD_PROJECT", info.project),
        ("GOOGLE_CLOUD_REGION", info.region),
        ("API_ENDPOINT_OVERRIDE", info.http),
        # A local project must not make gpupipe itself look for Google Cloud.
        ("GPUPIPE_TARGET", "local"),
    ):
        print(f"export {name}={_quoted(value)}")
    return Exit.DONE


def run_logs(output: Output, *, requests: bool, since: int) -> int:
    """The daemon's own lines, or the API calls that it got."""
    if requests:
        return _requests(output, since)
    log = local_home() / "daemon.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-logs/1", "lines": lines[-_LOG_LINES:]})
    else:
        print("\n".join(lines[-_LOG_LINES:]))
    return Exit.DONE


def _requests(output: Output, since: int) -> int:
    rows = _all_requests(_running(), since)
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-requests/1", "requests": rows})
        return Exit.DONE
    for row in rows:
        mark = "w" if row["writes"] else " "
        print(
            f"{row['sequence']:>6} {mark} {row['code']:18} {row['ms']:8.1f} ms  {row['caller']:40} "
            f"{row['method']} {row['resource']}"
        )
    return Exit.DONE


def _all_requests(info: DaemonInfo, since: int) -> list[dict[str, Any]]:
    """Every call after a sequence number but those of the control surface itself."""
    rows: list[dict[str, Any]] = []
    while True:
        page = daemon.call(info, "GET", f"/control/requests?since={since}")["requests"]
        rows += [
            {"sequence": row.pop("seq"), **row}
            for row in map(dict, page)
            if not row["method"].startswith("control.")
        ]
        if len(page) < _PAGE:
            return rows
        since = page[-1]["seq"]


def _running() -> DaemonInfo:
    info = daemon.ensure_running(local_home())
    if info.notice:
        print(info.notice, file=sys.stderr)
    return info


def _say(output: Output, info: DaemonInfo, words: str) -> int:
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
            }
        )
    else:
        print(f"{words}: process {info.pid}, {info.http} and gRPC {info.grpc}.")
        print(f"  Its state is in {local_home()}; logs: gpupipe local logs")
    return Exit.DONE


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
