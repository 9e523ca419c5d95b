"""The services as processes: bound at once, JSON logs, exit codes."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2] / "service_images"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def service(package: str, port: int, home: Path, **extra: str) -> Iterator[subprocess.Popen[str]]:
    variables = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "HOME": str(home),
        "WORK_BUCKET": "work",
        "OUTPUT_BUCKET": "out",
        "PYTHONDONTWRITEBYTECODE": "1",
        # A closed port: no metadata server, so no credentials, without a wait for the network.
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "GCE_METADATA_IP": "127.0.0.1:9",
        "NO_GCE_CHECK": "true",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", package],
        cwd=ROOT,
        env=variables | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], part: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if part in json.loads(line)["message"]:
            return
    raise AssertionError(f"the service ended without {part!r}")


@pytest.mark.promise(86)
@pytest.mark.promise(87)
@pytest.mark.promise(88)
@pytest.mark.parametrize("package", ["preprocess", "gpu_inference", "postprocess"])
def test_service_is_alive_and_ends_well(package: str, tmp_path: Path) -> None:
    port = free_port()
    with service(package, port, tmp_path, DEVICE="cpu") as process:
        until(process, "Uvicorn running")
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as response:
            health = json.load(response)
        assert health["status"] == "healthy"
        assert health["service"] == package.replace("_", "-")
        with pytest.raises(HTTPError) as caught:
            urlopen(f"http://127.0.0.1:{port}/ready", timeout=20)
        with caught.value as refused:
            assert refused.code == 503
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_demanded_gpu_that_is_not_there_ends_the_process(tmp_path: Path) -> None:
    with service("gpu_inference", free_port(), tmp_path, DEVICE="cuda") as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
    lines = [json.loads(line) for line in output.splitlines()]
    [critical] = [line for line in lines if line["severity"] == "CRITICAL"]
    assert "DEVICE=cuda" in critical["message"]


def test_wrong_setting_ends_the_process(tmp_path: Path) -> None:
    with service("preprocess", free_port(), tmp_path, WORK_BUCKET="") as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 2
    assert "WORK_BUCKET" in json.loads(output)["message"]
