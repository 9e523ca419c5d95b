"""What cuts a command off: Ctrl-C, a second deploy, a full disk, a local cloud that is killed.

Nothing here waits for a time: a command is held where it is by a fault that makes it pause for
longer than any test, and a test goes on when the daemon has given that fault out.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import DaemonInfo
from tests.e2e.conftest import GPUPIPE, TIMEOUT_S, Cli
from tests.e2e.test_journey import last_sequence, requests_since

DEPLOY = ("deploy", "--local", "--yes", "--no-canary")
# Within a caller's five minutes for an API that does not answer: a longer pause it would not begin.
LONGER_THAN_ANY_TEST_S = 280
_POLL_S = 0.05
EXECUTIONS = "workflowexecutions.executions.list"


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    run = Cli(tmp_path_factory.mktemp("cut") / "home")
    yield run
    run("local", "stop")


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """A child must not inherit an ignored SIGINT, as the tests do when they run in a background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Running:
    """A command under way: its output is read up to a text that it is waited for."""

    def __init__(self, cli: Cli, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [GPUPIPE, *arguments],
            env=cli.env(),
            cwd=cli.home.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._seen = b""

    def until(self, text: str) -> "Running":
        output = _pipe(self._process.stdout)
        while text.encode() not in self._seen:
            one = output.read(1)
            assert one, f"it ended before {text!r}: {self._seen.decode()}"
            self._seen += one
        return self

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> tuple[int, str]:
        rest, _ = self._process.communicate(timeout=TIMEOUT_S)
        told = (self._seen + rest).decode()
        assert "Traceback" not in told
        return self._process.returncode, told


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def cloud_of(cli: Cli) -> DaemonInfo:
    info = daemon.status(cli.home / "local")
    assert info is not None
    return info


class Hold:
    """Makes every call of a method pause its caller; `reached_by` returns when one has met it."""

    def __init__(self, cli: Cli, method: str) -> None:
        self._cloud = cloud_of(cli)
        fault = {
            "method": method,
            "code": "UNAVAILABLE",
            "times": 1000,
            "retry_after_s": LONGER_THAN_ANY_TEST_S,
        }
        daemon.call(self._cloud, "POST", "/control/faults", fault)

    def reached_by(self, running: Running) -> None:
        """Return when a call has met the fault, which the command's end must not come before."""
        while not self._consumed():
            assert running.is_alive, running.end()
            # Asking without a pause would keep the daemon from what is waited for.
            time.sleep(_POLL_S)

    def _consumed(self) -> int:
        faults = daemon.call(self._cloud, "GET", "/control/faults")["faults"]
        return sum(fault["consumed"] for fault in faults)

    def end(self) -> None:
        daemon.call(self._cloud, "DELETE", "/control/faults")


def writes_nothing(cli: Cli) -> bool:
    before = last_sequence(cli)
    done = cli(*DEPLOY)
    assert done.code == 0, done.err
    return not [row for row in requests_since(cli, before) if row["writes"]]


def test_a_deploy_that_is_met_by_another_and_then_interrupted_is_finished_later(own: Cli) -> None:
    assert own("local", "start").code == 0
    hold = Hold(own, "cloudbuild.builds.get")
    first = Running(own, *DEPLOY)
    hold.reached_by(first)

    second = own(*DEPLOY)
    assert second.code == 1, second.err
    assert "Another deploy works on this pipeline" in second.err
    assert "Held by " in second.err
    assert " until " in second.err
    assert "errors.md#lease" in second.err

    first.until("creating image").interrupt()
    code, told = first.end()
    assert code == 130, told
    assert "Stopping: nothing new is begun" in told
    assert "what was begun in the cloud goes on" in told
    assert "Steps: image " in told
    assert "Run the same command again" in told

    hold.end()
    last = own(*DEPLOY)
    assert last.code == 0, last.err
    assert writes_nothing(own)


def test_ctrl_c_while_it_still_plans_writes_nothing(own: Cli) -> None:
    assert own("local", "start").code == 0
    before = last_sequence(own)
    hold = Hold(own, "storage.buckets.get")
    deploy = Running(own, *DEPLOY)
    hold.reached_by(deploy)
    deploy.interrupt()
    code, told = deploy.end()
    assert code == 130, told
    assert "Interrupted" in told
    assert "Next: Run the same command again" in told
    rows = requests_since(own, before)
    assert [row for row in rows if row["writes"]] == []


def test_ctrl_c_while_the_canary_is_awaited(deployed: Cli) -> None:
    hold = Hold(deployed, EXECUTIONS)
    deploy = Running(deployed, "deploy", "--local", "--yes", "--verify")
    hold.reached_by(deploy)
    deploy.interrupt()
    code, told = deploy.end()
    hold.end()
    assert code == 130, told
    assert "Next: Run the same command again" in told
    again = deployed("deploy", "--local", "--yes", "--verify", "--output", "json")
    assert again.code == 0, again.err
    assert again.json["canary"]["state"] == "succeeded"


def test_ctrl_c_at_the_question_is_no(deployed: Cli) -> None:
    before = last_sequence(deployed)
    destroy = Running(deployed, "destroy", "--local").until("[y/N] ")
    destroy.interrupt()
    code, told = destroy.end()
    assert code == 130, told
    assert "Next: " in told
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []


def test_ctrl_c_while_files_are_awaited_says_that_they_go_on(deployed: Cli) -> None:
    hold = Hold(deployed, EXECUTIONS)
    upload = Running(deployed, "test-upload", "--local")
    hold.reached_by(upload)
    upload.interrupt()
    code, told = upload.end()
    hold.end()
    assert code == 130, told
    assert "Next: See the files that were sent with `gpupipe status`" in told


def test_no_space_for_an_object_is_said_and_loses_nothing(deployed: Cli, tmp_path: Path) -> None:
    cloud = cloud_of(deployed)
    fault = {"method": "storage.disk.write", "code": "RESOURCE_EXHAUSTED", "times": 50}
    daemon.call(cloud, "POST", "/control/faults", fault)
    file = tmp_path / "mine.txt"
    file.write_text("Not bad at all.")
    failed = deployed("test-upload", "--local", str(file))
    assert failed.code == 1, failed.err
    assert "Next:" in failed.err
    assert "Read: docs/reference/errors.md" in failed.err
    daemon.call(cloud, "DELETE", "/control/faults")
    done = deployed("test-upload", "--local", str(file))
    assert done.code == 0, done.err


def test_a_local_cloud_that_is_killed_ends_the_deploy_and_keeps_what_was_done(own: Cli) -> None:
    deploy = Running(own, *DEPLOY).until("creating image")
    os.kill(cloud_of(own).pid, signal.SIGKILL)
    code, told = deploy.end()
    assert code == 1, told
    assert "The local cloud ended while the command ran" in told
    assert "Next: Run the same command again: it starts the local cloud" in told
    assert "errors.md#local-cloud-ended" in told

    last = own(*DEPLOY)
    assert last.code == 0, last.err
    assert "had ended without notice; started again" in last.err
    assert writes_nothing(own)
    resources = own("status", "--local", "--output", "json").json["resources"]
    assert len({(row["kind"], row["name"]) for row in resources}) == len(resources)
    assert {row["state"] for row in resources} == {"ready"}

    os.kill(cloud_of(own).pid, signal.SIGKILL)
    plan = own(*DEPLOY, "--dry-run", "--output", "json")
    assert plan.code == 0, plan.err
    assert not plan.json["writes"]
