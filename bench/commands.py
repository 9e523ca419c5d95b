"""The command line against its own floor: medians and their ratios."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpupipe.localcloud.kernel.latency import READ_S

GPUPIPE = str(Path(sys.executable).with_name("gpupipe"))
ROUNDS = 5
HELP = (GPUPIPE, "--help")
FLOOR = (sys.executable, "-c", "import typer")
DEPLOY = (GPUPIPE, "deploy", "--local", "--yes", "--no-canary")
PLAN = (GPUPIPE, "deploy", "--local", "--dry-run")
STATUS = (GPUPIPE, "status", "--local")
HELD_S = 2.0
UPLOAD = (GPUPIPE, "test-upload", "--local")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GPUPIPE_HOME": home}
        try:
            report(environment)
        finally:
            subprocess.run([GPUPIPE, "local", "stop"], env=environment, check=False)


def report(environment: dict[str, str]) -> None:
    """All measurements."""
    show("help / import of typer", *side_by_side(HELP, FLOOR, environment))
    first = seconds(DEPLOY, environment)
    again, plan = side_by_side(DEPLOY, PLAN, environment)
    show("first deploy / one that writes nothing", first, again)
    show("deploy that writes nothing / its plan", again, plan)
    files = statistics.median(seconds(UPLOAD, environment) for _ in range(ROUNDS))
    held = (GPUPIPE, "local", "latency", str(HELD_S / READ_S))
    for what, command in (("deploy that writes nothing", DEPLOY), ("status", STATUS)):
        quick = statistics.median(seconds(command, environment) for _ in range(ROUNDS))
        subprocess.run(held, env=environment, check=True, capture_output=True)
        slow = seconds(command, environment)
        subprocess.run((*held[:-1], "none"), env=environment, check=True, capture_output=True)
        show(f"{what}: what holding each read for {HELD_S:g} s adds / that", slow - quick, HELD_S)
    show("three sample files / a deploy that writes nothing", files, again)


def side_by_side(
    one: tuple[str, ...], two: tuple[str, ...], environment: dict[str, str]
) -> tuple[float, float]:
    """Medians of two commands that take turns."""
    rounds = [(seconds(one, environment), seconds(two, environment)) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in rounds), statistics.median(b for _, b in rounds)


def seconds(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """One run of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def show(what: str, one: float, two: float) -> None:
    """One line."""
    print(f"{what}: {one / two:.2f}  ({one:.2f} s / {two:.2f} s)", flush=True)
