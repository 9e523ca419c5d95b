"""The measurement: rounds in which the servers take turns, at 1, 8 and 64 callers, on both devices.

Usage: python -m bench inference. All serve the same model with the same tokenizer, from one
environment with the packages of our image; ratios are medians of rounds. Processor time for each
request says more than the clock on a machine that has other work. Ready is the time from the start of
a process to its first ready answer, beside the import of onnxruntime and uvicorn.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.inference import servers
from bench.inference.client import Load, load

ROUNDS = 5
SECONDS = 3.0
WARM_S = 1.0
CALLERS = (1, 8, 64)
DEVICES = ("simulated", "cpu")
OURS = "gpupipe"
Start = Callable[[str], AbstractContextManager[servers.Running]]


@dataclass(frozen=True, slots=True)
class Round:
    """A load and the processor time that the server took for each answer, in milliseconds."""

    load: Load
    cpu_ms: float


def main() -> None:
    """Measure and print; says so where the peers cannot be installed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            python = servers.install(Path(folder))
        except subprocess.CalledProcessError:
            print("flask, gunicorn and mosec cannot be installed here: nothing to compare with")
            return
        print(servers.versions(python))
        starts: dict[str, Start] = {
            OURS: partial(servers.ours, python),
            "flask": partial(servers.flask, python),
            "mosec": partial(servers.mosec, python),
        }
        for device in DEVICES:
            report(device, starts)
        ready(python, starts)


def report(device: str, starts: Mapping[str, Start]) -> None:
    """All servers on one device."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(start(device)) for name, start in starts.items()}
        for one in running.values():
            load(one.port, one.path, 8, WARM_S)
        for callers in CALLERS:
            found: dict[str, list[Round]] = {name: [] for name in running}
            for _ in range(ROUNDS):
                for name, one in running.items():
                    found[name].append(measured(one, callers))
            for name, rounds in found.items():
                show(f"{device:9} {callers:2} callers", name, rounds, found[OURS])


def measured(server: servers.Running, callers: int) -> Round:
    """One load on one server."""
    before = server.cpu_s()
    found = load(server.port, server.path, callers, SECONDS)
    return Round(found, (server.cpu_s() - before) * 1000 / found.answers)


def show(what: str, name: str, rounds: list[Round], ours: list[Round]) -> None:
    """One line."""
    rate, p50, p99, cpu = (
        statistics.median(values)
        for values in zip(
            *((one.load.rate, one.load.p50, one.load.p99, one.cpu_ms) for one in rounds),
            strict=True,
        )
    )
    ratio = statistics.median(a.load.rate / b.load.rate for a, b in zip(ours, rounds, strict=True))
    failures = sum(one.load.failures for one in rounds)
    print(
        f"{what}  {name:8} {rate:6.0f}/s  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  cpu {cpu:6.2f} ms"
        f"  {OURS}/{name} {ratio:5.2f}" + (f"  {failures} failed" if failures else ""),
        flush=True,
    )


def ready(python: Path, starts: Mapping[str, Start]) -> None:
    """Seconds to ready, on the CPU."""
    imports = [str(python), "-c", "import onnxruntime, uvicorn"]
    floor = statistics.median(seconds(imports) for _ in range(ROUNDS))
    print(f"ready: import of onnxruntime and uvicorn {floor:.2f} s")
    for name, start in starts.items():
        times = []
        for _ in range(ROUNDS):
            with start("cpu") as running:
                times.append(running.ready_s)
        took = statistics.median(times)
        print(f"ready: {name} {took:.2f} s, {took / floor:.2f} of the imports", flush=True)


def seconds(command: list[str]) -> float:
    """One run of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began
