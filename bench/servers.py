"""The two storage servers that `bench.storage` compares, each a process of its own on loopback."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from gpupipe.localcloud import daemon

PEER = "gcp-storage-emulator"
_START_S = 30.0
JSON = {"Content-Type": "application/json"}


@dataclass
class Server:
    """Where a server answers, the token that it wants, its process, the connections it dropped."""

    name: str
    port: int
    token: str
    pid: int
    dropped: int = 0

    def connection(self) -> "Connection":
        """A connection of one thread."""
        return Connection(self)

    def peak_mib(self) -> float:
        """The most memory that the process has held since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def forget_peak(self) -> None:
        """Begin the peak anew at what the process holds now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


class Connection:
    """Calls of the JSON API, with as little client as possible.

    A call whose connection is dropped without an answer is sent again and counted, unless its body
    is a stream: what the clients of Google do too.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http = HTTPConnection("127.0.0.1", server.port, timeout=300)
        self._headers = {"Authorization": f"Bearer {server.token}"}

    def make_bucket(self, name: str) -> None:
        """A bucket without soft delete."""
        body = {"name": name, "softDeletePolicy": {"retentionDurationSeconds": "0"}}
        self._call("POST", "/storage/v1/b?project=bench-project", json.dumps(body).encode(), JSON)

    def upload(self, bucket: str, name: str, body: bytes | Iterator[bytes], size: int) -> None:
        """Store an object in one request."""
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        self._call("POST", path, body, headers)

    def download(self, bucket: str, name: str) -> int:
        """Read an object and forget it; the bytes that came."""
        return self._call("GET", f"/download/storage/v1/b/{bucket}/o/{name}?alt=media")

    def _call(
        self,
        verb: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        while True:
            try:
                self._http.request(verb, path, body, {**self._headers, **(headers or {})})
                answer = self._http.getresponse()
                break
            except ConnectionError:
                if body is not None and not isinstance(body, bytes):
                    raise
                self._server.dropped += 1
                self._http.close()
        size = 0
        while chunk := answer.read(1 << 20):
            size += len(chunk)
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{verb} {path}: {answer.status}")
        return size


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    """The daemon of the local cloud."""
    home = folder / "local"
    info = daemon.ensure_running(home)
    try:
        yield Server("gpupipe", int(info.http.rpartition(":")[2]), info.token(), info.pid)
    finally:
        daemon.stop(home)


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    """The newest gcp-storage-emulator of the package index, in an environment of its own."""
    python = folder / "peer" / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder / "peer"], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, PEER], check=True)
    port = free_port()
    program, data = str(python.with_name(PEER)), str(folder / "data")
    command = [program, "-d", data, "start", "--port", str(port), "-q", "-H", "127.0.0.1"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        yield Server(f"{PEER} {_version(python)}", port, "none", process.pid)
    finally:
        process.terminate()
        process.wait()


def _version(python: Path) -> str:
    code = f"from importlib.metadata import version; print(version('{PEER}'))"
    return subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
