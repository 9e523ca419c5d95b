"""What executions of workflows cost the daemon: steps, branches, what waits, and a pipeline's share.

Processor time where it can be had, since other processes on the machine then count little.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo
from gpupipe.workflows.effects import Effects
from gpupipe.workflows.interpreter import Interpreter
from gpupipe.workflows.program import load

STEPS = 60_000
BRANCHES = 2_000
WAITING = 1_000
ROUNDS = 3
CALLS = frozenset({"STEP_STD_LIB_CALL", "STEP_TRY_RETRY_EXCEPT"})  # a try may be one call
WORKFLOW = "projects/gpupipe-local/locations/us-central1/workflows/ml-pipeline-ml-pipeline"
GPUPIPE = str(Path(sys.executable).with_name("gpupipe"))
COUNTS = f"""
main:
  steps:
    - begin: {{assign: [{{n: 0}}]}}
    - add: {{assign: [{{n: '${{n + 1}}'}}]}}
    - more: {{switch: [{{condition: '${{n < {STEPS // 2}}}', next: add}}]}}
"""
LOOP = """
main:
  steps:
    - each: {KIND: {value: v, range: [1, COUNT], steps: [{one: {assign: [{x: '${v}'}]}}]}}
"""
WAITS = """
main:
  steps:
    - wide:
        parallel:
          for:
            value: v
            range: [1, WIDTH]
            steps:
              - pause: {call: sys.sleep, args: {seconds: 1}}
"""


class Ports:
    """Time that passes only when `over` is set, and no world beside it."""

    def __init__(self, wanted: int = 0) -> None:
        """`all_wait` is set when so many sleep."""
        self.over, self.all_wait = asyncio.Event(), asyncio.Event()
        self.waiting, self.wanted = 0, wanted

    def now(self) -> float:
        """Always the same."""
        return 0.0

    async def sleep(self, _: float) -> None:
        """Wait until it is over."""
        self.waiting += 1
        if self.waiting == self.wanted:
            self.all_wait.set()
        await self.over.wait()

    async def yield_(self) -> None:
        """Let others run."""
        await asyncio.sleep(0)

    def effects(self) -> Effects:
        """All of them are this one."""
        port: Any = self
        return Effects(port, port, port, port, lambda: "")


def main() -> None:
    """Measure and print."""
    steps = cpu_of(COUNTS)
    print(f"steps: {STEPS / steps:,.0f} per second of a processor", flush=True)
    one = cpu_of(_loop("for", BRANCHES)) / BRANCHES
    wide = cpu_of(_loop("parallel", BRANCHES)) / BRANCHES
    print(
        f"parallel iteration / iteration of a loop: {wide / one:.2f}  ({wide * 1e6:.0f} us / {one * 1e6:.0f} us)"
    )
    for width in (1, 20):
        bytes_each = asyncio.run(waiting(width))
        print(f"memory of a waiting execution, {width} at once in it: {bytes_each / 1024:.1f} KiB")
    share(steps / STEPS)


def _loop(kind: str, count: int) -> str:
    inner = LOOP.replace("COUNT", str(count))
    if kind == "for":
        return inner.replace("KIND", "for")
    return inner.replace("KIND: {", "parallel: {for: {").replace("}]}}]}}", "}]}}]}}}")


def cpu_of(source: str) -> float:
    """Processor seconds of one execution."""
    program, ports = load(source), Ports()
    began = time.process_time()
    asyncio.run(Interpreter(program, ports.effects(), {}).run(None))
    return time.process_time() - began


async def waiting(width: int) -> float:
    """Bytes that each of many waiting executions holds."""
    program, ports = load(WAITS.replace("WIDTH", str(width))), Ports(WAITING * width)
    before = resident()
    tasks = [
        asyncio.ensure_future(Interpreter(program, ports.effects(), {}).run(None))
        for _ in range(WAITING)
    ]
    await ports.all_wait.wait()
    used = resident() - before
    ports.over.set()
    await asyncio.gather(*tasks)
    return used / WAITING


def resident() -> int:
    """Bytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def share(step_s: float) -> None:
    """The interpreter's part of the pipeline's own executions, medians of all files.

    By processor: its steps, each at `step_s` seconds. By the clock: all that is in no call of others,
    so also what starts and ends an execution, and the daemon's other work meanwhile.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GPUPIPE_HOME": home}
        try:
            found = _shares(environment, step_s)
        finally:
            stop = [GPUPIPE, "local", "stop"]
            subprocess.run(stop, env=environment, check=False, capture_output=True)
    cpu, clock = (statistics.median(each) for each in zip(*found, strict=True))
    print(f"interpreter in a pipeline run, by processor: {cpu:.3%}")
    print(f"time of a pipeline run that is in no call: {clock:.1%}")


def _shares(environment: dict[str, str], step_s: float) -> list[tuple[float, float]]:
    deploy = [GPUPIPE, "deploy", "--local", "--yes", "--no-canary"]
    subprocess.run(deploy, env=environment, check=True, capture_output=True)
    found: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        upload = [GPUPIPE, "test-upload", "--local", "--output", "json"]
        done = subprocess.run(upload, env=environment, check=True, capture_output=True)
        info = daemon.status(Path(environment["GPUPIPE_HOME"]) / "local")
        assert info is not None  # noqa: S101  # the deploy started it
        files = json.loads(done.stdout)["files"]
        names = [f"{WORKFLOW}/executions/{one['execution']}" for one in files]
        found += [_share_of(info, name, step_s) for name in names]
    return found


def _share_of(info: DaemonInfo, name: str, step_s: float) -> tuple[float, float]:
    """The part of an execution that its steps cost, and that in which no call was on its way."""
    execution = daemon.call(info, "GET", f"/v1/{name}")
    entries = daemon.call(info, "GET", f"/v1/{name}/stepEntries?pageSize=100")["stepEntries"]
    calls = sorted(
        (_seconds(one["createTime"]), _seconds(one["updateTime"]))
        for one in entries
        if one["stepType"] in CALLS and "children" not in one["navigationInfo"]
    )
    began, ended = (_seconds(execution[name]) for name in ("startTime", "endTime"))
    covered, at = 0.0, began
    for start, end in calls:
        covered += max(0.0, end - max(start, at))
        at = max(at, end)
    took = ended - began
    return len(entries) * step_s / took, 1 - covered / took


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
