"""What `gpupipe local logs` does: the daemon's own lines or the API calls that it got, also as they come."""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from gpupipe.commands._durations import seconds
from gpupipe.commands._local import running
from gpupipe.context import local_home
from gpupipe.core.clock import SystemClock
from gpupipe.core.errors import Exit
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

Json = dict[str, Any]
_PAGE = 1000
_LOG_LINES = 200
_PAUSE_S = 0.5
# What may be long comes last, so that nothing has to be cut.
_HEAD = f"{'NUMBER':>8}   {'STATUS':20} {'MS':>9}  {'METHOD':44} {'CALLER':32} RESOURCE"


def show_lines(output: Output, *, follow: bool) -> int:
    """The newest of the daemon's own lines; with `follow`, those that come too, until Ctrl-C."""
    log = local_home() / "daemon.log"
    size, lines = _read(log)
    if output is Output.JSON and not follow:
        print_json({"schema": "gpupipe.local-logs/1", "lines": lines[-_LOG_LINES:]})
        return Exit.DONE
    for line in lines[-_LOG_LINES:]:
        _say(output, {"line": line}, line)
    if follow:
        for line in _coming(log, size):
            _say(output, {"line": line}, line)
    return Exit.DONE


def show_requests(output: Output, since: str, *, follow: bool) -> int:
    """The API calls after a number or within a duration; with `follow`, those that come too."""
    info = running()
    number, earliest = _start(info, since)
    rows = (row for row in _requests(info, number, follow=follow) if row["time"] >= earliest)
    if output is Output.JSON and not follow:
        print_json({"schema": "gpupipe.local-requests/1", "requests": list(rows)})
        return Exit.DONE
    if output is not Output.JSON:
        print(_HEAD)
    for row in rows:
        _say(output, row, _line(row))
    return Exit.DONE


def _say(output: Output, document: Json, words: str) -> None:
    """One line: JSON documents that come one after the other are a line each."""
    if output is Output.JSON:
        print_json(document, one_line=True)
    else:
        print(words)
    sys.stdout.flush()


def _line(row: Json) -> str:
    mark = "w" if row["writes"] else " "
    return (
        f"{row['sequence']:>8} {mark} {row['code']:20} {row['ms']:>9.1f}  {row['method']:44} "
        f"{row['caller']:32} {row['resource']}"
    ).rstrip()


def _start(info: DaemonInfo, since: str) -> tuple[int, float]:
    """The number of the call to begin after, and the earliest time."""
    if since.isdecimal():
        return int(since), 0.0
    now = datetime.fromisoformat(daemon.call(info, "GET", "/control/clock")["now"])
    return 0, now.timestamp() - seconds(since)


def _requests(info: DaemonInfo, since: int, *, follow: bool) -> Iterator[Json]:
    """Every call after a number but those of the control surface itself."""
    clock = SystemClock()
    while True:
        page = daemon.call(info, "GET", f"/control/requests?since={since}")["requests"]
        for row in map(dict, page):
            since = row.pop("seq")
            if not row["method"].startswith("control."):
                yield {"sequence": since, **row}
        if len(page) < _PAGE:
            if not follow:
                return
            clock.sleep(_PAUSE_S)


def _read(log: Path, start: int = 0) -> tuple[int, list[str]]:
    """The whole lines of a file after an offset, and the offset after them."""
    if not log.exists():
        return 0, []
    with log.open("rb") as file:
        file.seek(start)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return start + len(whole), whole.decode(errors="replace").splitlines()


def _coming(log: Path, offset: int) -> Iterable[str]:
    clock = SystemClock()
    while True:
        clock.sleep(_PAUSE_S)
        if log.exists() and log.stat().st_size < offset:
            offset = 0  # a new daemon began a new file
        offset, lines = _read(log, offset)
        yield from lines
