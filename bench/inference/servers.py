"""The servers as processes on loopback, the peers in an environment that is thrown away."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("flask", "gunicorn", "mosec")
_START_S = 120.0
_BATCH = {"cpu": "1", "simulated": "64"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers, the path to send texts to, and the seconds until it was ready."""

    pid: int
    port: int
    path: str
    ready_s: float

    def cpu_s(self) -> float:
        """Processor seconds of the server so far, all its processes together."""
        return sum(map(_cpu_s, _family(self.pid)))


def install(folder: Path) -> Path:
    """The Python of an environment with the peers and what the model needs."""
    uv = str(Path(sys.executable).with_name("uv"))
    python = folder / "peers" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder / "peers"], check=True)
    install = [uv, "pip", "install", "-q", "--python", str(python), "--no-deps"]
    for part in (
        "common/requirements",
        "gpu_inference/requirements-cpu",
        "gpu_inference/requirements-cpu-runtime",
    ):
        subprocess.run([*install, "-r", str(ROOT / f"service_images/{part}.txt")], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *PEERS], check=True)
    return python


def versions(python: Path) -> str:
    """Of the peers."""
    code = "import sys;from importlib.metadata import version as v;print(', '.join(n+' '+v(n) for n in sys.argv[1:]))"
    done = subprocess.run([python, "-c", code, *PEERS], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def ours(python: Path, device: str) -> Iterator[Running]:
    """Our service, with the packages of its image."""
    port = free_port()
    command = [str(python), "-m", "bench.inference.ours", str(port), device]
    with _process(command, port, device, "/ready", "/predict") as running:
        yield running


@contextmanager
def flask(python: Path, device: str) -> Iterator[Running]:
    """Flask behind gunicorn, with the recipe's one worker and as many threads as helped most."""
    port = free_port()
    command = [str(python), "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4",
               "--keep-alive", "75", "bench.inference.flask_app:app"]  # fmt: skip
    with _process(command, port, device, "/ready", "/predict") as running:
        yield running


@contextmanager
def mosec(python: Path, device: str) -> Iterator[Running]:
    """mosec."""
    port = free_port()
    command = [str(python), "-m", "bench.inference.mosec_app"]
    command += ["--address", "127.0.0.1", "--port", str(port)]
    with _process(command, port, device, "/", "/inference") as running:
        yield running


@contextmanager
def _process(
    command: Sequence[str], port: int, device: str, ready: str, path: str
) -> Iterator[Running]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'service_images'}",
        "BENCH_DEVICE": device,
        "BENCH_BATCH": _BATCH[device],
        "OMP_NUM_THREADS": "1",
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port, ready, process)
        yield Running(process.pid, port, path, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:  # noqa: PLR2004 - HTTP's OK
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} was not ready within {_START_S} s")


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
