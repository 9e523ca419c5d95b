"""Cloud Storage of the local cloud beside an existing emulator: speed as ratios, memory in MiB.

Ours waits for the disk before it answers an upload; the other does not. The client is the same.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.servers import PEER, Server, ours, peer

ROUNDS = 3
THREADS = 16
SMALL, COUNT = 1 << 10, 480
BIG = 64 << 20
HUGE = 1 << 30
PIECE = os.urandom(1 << 20)
BUCKET = "bench-bucket"


def main() -> None:
    """Measure and print; says so when the other emulator cannot be had."""
    with tempfile.TemporaryDirectory() as folder, ours(Path(folder)) as mine:
        try:
            with peer(Path(folder)) as other:
                report(mine, other)
        except subprocess.CalledProcessError:
            print(f"{PEER} cannot be installed here: ours alone")
            report(mine, mine)


def report(mine: Server, other: Server) -> None:
    """All measurements of both."""
    print(f"{mine.name} / {other.name}")
    for server in (mine, other):
        server.connection().make_bucket(BUCKET)
    show("1 KiB objects up, 16 threads", "per s", mine, other, small_up)
    show("1 KiB objects down, 16 threads", "per s", mine, other, small_down)
    show("64 MiB object up", "MB/s", mine, other, big_up)
    show("64 MiB object down", "MB/s", mine, other, big_down)
    show("peak memory, 1 GiB up and down", "MiB", mine, other, memory, rounds=1)
    print(f"connections dropped without an answer: {mine.dropped} / {other.dropped}")


def show(
    what: str,
    unit: str,
    mine: Server,
    other: Server,
    measure: Callable[[Server], float],
    rounds: int = ROUNDS,
) -> None:
    """Medians of rounds in which the two take turns."""
    found = [(measure(mine), measure(other)) for _ in range(rounds)]
    one, two = (statistics.median(values) for values in zip(*found, strict=True))
    print(f"{what}: {one / two:.2f}  ({one:.0f} / {two:.0f} {unit})", flush=True)


def small_up(server: Server) -> float:
    """Objects per second."""
    return _in_threads(server, lambda c, name: c.upload(BUCKET, name, PIECE[:SMALL], SMALL))


def small_down(server: Server) -> float:
    """Objects per second."""
    return _in_threads(server, lambda c, name: c.download(BUCKET, name))


def big_up(server: Server) -> float:
    """Megabytes per second."""
    connection = server.connection()
    return _rate(BIG, lambda: connection.upload(BUCKET, "big", _pieces(BIG), BIG))


def big_down(server: Server) -> float:
    """Megabytes per second."""
    connection = server.connection()
    return _rate(BIG, lambda: connection.download(BUCKET, "big"))


def memory(server: Server) -> float:
    """MiB of the process at its peak, all of it counted."""
    connection = server.connection()
    server.forget_peak()
    connection.upload(BUCKET, "huge", _pieces(HUGE), HUGE)
    if connection.download(BUCKET, "huge") != HUGE:
        raise RuntimeError(f"{server.name} did not give the object back")
    return server.peak_mib()


def _in_threads(server: Server, call: Callable[..., object]) -> float:
    """Calls per second with one connection per thread."""

    def work(thread: int) -> None:
        connection = server.connection()
        for number in range(COUNT // THREADS):
            call(connection, f"small-{thread}-{number}")

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    return COUNT / (time.perf_counter() - began)


def _rate(size: int, call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return size / 1e6 / (time.perf_counter() - began)


def _pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE
