"""A deploy that is cut off or met by a second one, and a full disk: said clearly, finished later."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpupipe.localcloud import daemon
from tests.e2e.conftest import GPUPIPE, TIMEOUT_S, Cli

DEPLOY = ("deploy", "--local", "--yes", "--no-canary")


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    run = Cli(tmp_path_factory.mktemp("cut") / "home")
    yield run
    run("local", "stop")


def begun(cli: Cli, line: str) -> "subprocess.Popen[str]":
    """A deploy that has come as far as this line of its progress."""
    process = subprocess.Popen(
        [GPUPIPE, *DEPLOY],
        env=cli.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for text in process.stdout:
        seen.append(text)
        if text.startswith(line):
            return process
    raise AssertionError("".join(seen))


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    rest, _ = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, rest


def test_ctrl_c_ends_with_130_and_the_next_deploy_finishes(own: Cli) -> None:
    process = begun(own, "creating image")
    process.send_signal(signal.SIGINT)
    code, told = ended(process)
    assert code == 130, told
    assert "again" in told
    assert "Traceback" not in told
    last = own(*DEPLOY)
    assert last.code == 0, last.err


def test_a_second_deploy_is_told_about_the_first(own: Cli) -> None:
    process = begun(own, "creating image")
    second = own(*DEPLOY)
    code, told = ended(process)
    assert code == 0, told
    assert second.code == 1, second.err
    assert "errors.md#lease" in second.err


def test_no_space_for_an_object_is_said_and_loses_nothing(own: Cli, tmp_path: Path) -> None:
    assert own(*DEPLOY).code == 0
    info = daemon.status(own.home / "local")
    assert info is not None
    fault = {"method": "storage.disk.write", "code": "RESOURCE_EXHAUSTED", "times": 50}
    daemon.call(info, "POST", "/control/faults", fault)
    file = tmp_path / "mine.txt"
    file.write_text("Not bad at all.")
    failed = own("test-upload", "--local", str(file))
    assert failed.code == 1
    assert "Next:" in failed.err
    daemon.call(info, "DELETE", "/control/faults")
    done = own("test-upload", "--local", str(file))
    assert done.code == 0, done.err
