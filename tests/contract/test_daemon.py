"""The daemon as a process: started, found, restarted, killed, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from tests.support.clock import FakeClock

from gpupipe.core.clock import SystemClock
from gpupipe.core.errors import GpupipeError
from gpupipe.core.process import process_start
from gpupipe.localcloud import daemon
from gpupipe.localcloud.daemon_state import (
    DaemonInfo,
    is_alive,
    only_daemon,
    only_starter,
    state_file,
    to_json,
)

TOKEN_CALL = "/control/status"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home" / "local"
    yield path
    daemon.stop(path)


def answers(info: DaemonInfo) -> bool:
    return bool(daemon.call(info, "GET", TOKEN_CALL)["version"])


def open_ports(info: DaemonInfo) -> list[int]:
    found = []
    for address in (info.grpc, info.http):
        port = int(address.rpartition(":")[2])
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def kill(info: DaemonInfo) -> None:
    os.kill(info.pid, signal.SIGKILL)
    clock = SystemClock()
    while is_alive(info.token_file.parent):
        clock.sleep(0.01)


def test_it_starts_answers_and_stops_without_a_trace(home: Path) -> None:
    info = daemon.ensure_running(home)
    assert answers(info)
    assert info.notice == ""
    assert info.project_number > 0
    with grpc.secure_channel(
        info.grpc,
        grpc.composite_channel_credentials(
            grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP),
            grpc.access_token_call_credentials(info.token()),
        ),
    ) as channel:
        stub = operations_pb2_grpc.OperationsStub(channel)
        assert not stub.ListOperations(operations_pb2.ListOperationsRequest()).operations
    assert daemon.status(home) == info
    assert daemon.stop(home)
    assert open_ports(info) == []
    assert process_start(info.pid) is None
    assert daemon.status(home) is None
    assert not state_file(home).exists()
    assert not daemon.stop(home)


def test_a_second_call_finds_the_first_ones_daemon(home: Path) -> None:
    first = daemon.ensure_running(home)
    assert daemon.ensure_running(home) == first


def test_many_starters_at_once_get_one_daemon(home: Path) -> None:
    found: list[DaemonInfo] = []
    starters = [
        threading.Thread(target=lambda: found.append(daemon.ensure_running(home))) for _ in range(5)
    ]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len({info.pid for info in found}) == 1
    assert len(found) == 5


def test_what_was_acknowledged_outlives_kill_9(home: Path) -> None:
    first = daemon.ensure_running(home)
    body = {
        "project": "gpupipe-local",
        "service": "run.googleapis.com",
        "quota_id": "CpuAllocPerProjectRegion",
        "region": "us-central1",
        "value": 7,
    }
    daemon.call(first, "POST", "/control/quota", body)
    token = first.token()
    kill(first)
    second = daemon.ensure_running(home)
    assert second.pid != first.pid
    assert f"process {first.pid}" in second.notice
    assert second.token() == token
    assert second.project_number == first.project_number
    status = daemon.call(second, "GET", TOKEN_CALL)
    assert status["projects"] == ["gpupipe-local"]
    assert answers(second)


def test_sigterm_stops_it_cleanly(home: Path) -> None:
    info = daemon.ensure_running(home)
    os.kill(info.pid, signal.SIGTERM)
    clock = SystemClock()
    while is_alive(home):
        clock.sleep(0.01)
    assert open_ports(info) == []
    assert not state_file(home).exists()
    assert "asked to end" in (home / "daemon.log").read_text()


def test_an_older_daemon_is_restarted_and_that_is_said(home: Path) -> None:
    first = daemon.ensure_running(home)
    state_file(home).write_bytes(to_json(replace(first, version="0.0.9")))
    second = daemon.ensure_running(home)
    assert second.pid != first.pid
    assert "0.0.9" in second.notice
    assert process_start(first.pid) is None


def test_a_newer_daemon_is_used_as_it_is(home: Path) -> None:
    first = daemon.ensure_running(home)
    state_file(home).write_bytes(to_json(replace(first, version="99.0.0")))
    assert daemon.ensure_running(home).pid == first.pid


@pytest.mark.parametrize("text", ["", "{not json", "[]", '{"grpc": "127.0.0.1:1"}', "null"])
def test_a_corrupt_state_file_is_recognised_and_replaced(home: Path, text: str) -> None:
    home.mkdir(parents=True)
    state_file(home).write_text(text)
    info = daemon.ensure_running(home)
    assert "corrupt" in info.notice
    assert answers(info)


def test_a_state_file_with_a_value_of_another_type_is_corrupt(home: Path) -> None:
    first = daemon.ensure_running(home)
    state = json.loads(to_json(first))
    state_file(home).write_text(json.dumps(state | {"version": 5}))
    assert "corrupt" in daemon.ensure_running(home).notice


def test_a_corrupt_state_file_over_a_living_daemon(home: Path) -> None:
    first = daemon.ensure_running(home)
    state_file(home).write_text("{not json")
    assert daemon.status(home) is None
    second = daemon.ensure_running(home)
    assert "corrupt" in second.notice
    assert process_start(first.pid) is None
    assert answers(second)


def test_a_state_file_that_names_another_living_process_harms_nobody(home: Path) -> None:
    info = daemon.ensure_running(home)
    daemon.stop(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        state_file(home).write_bytes(to_json(replace(info, pid=bystander.pid)))
        again = daemon.ensure_running(home)
        assert again.pid != bystander.pid
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_a_daemon_that_hangs_is_ended_by_force(home: Path) -> None:
    info = daemon.ensure_running(home)
    os.kill(info.pid, signal.SIGSTOP)
    clock = ImpatientClock()
    assert daemon.stop(home, clock=clock)
    assert process_start(info.pid) is None


class ImpatientClock(SystemClock):
    """Every sleep counts for a second of waiting."""

    _ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._ahead += 1


def test_one_folder_has_one_daemon(home: Path) -> None:
    daemon.ensure_running(home)
    done = subprocess.run(
        [sys.executable, "-m", "gpupipe.localcloud.daemon", str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "another daemon runs" in done.stderr


def test_two_folders_have_two_daemons_that_share_nothing(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    one, two = daemon.ensure_running(home), daemon.ensure_running(other)
    try:
        ports = {address.rpartition(":")[2] for address in (one.grpc, one.http, two.grpc, two.http)}
        assert len(ports) == 4
        assert one.token() != two.token()
    finally:
        daemon.stop(other)


def test_a_daemon_that_cannot_start_says_why(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "state.db").write_text("this is no database, and long enough to be seen as none")
    with pytest.raises(GpupipeError) as failed:
        daemon.ensure_running(home)
    assert failed.value.brief == "The local cloud did not start."
    assert "not a database" in (failed.value.details or "")
    assert str(home / "daemon.log") in failed.value.resolution
    assert not is_alive(home)


def test_waiting_for_another_starter_has_an_end(home: Path) -> None:
    home.mkdir(parents=True)
    clock = FakeClock()
    with (
        only_starter(home, SystemClock(), 1),
        pytest.raises(GpupipeError, match="has been starting"),
        only_starter(home, clock, 5),
    ):
        pytest.fail("two starters")
    assert sum(clock.slept) >= 5


def test_the_daemons_lock_is_taken_once(home: Path) -> None:
    home.mkdir(parents=True)
    with only_daemon(home, FakeClock()):
        assert is_alive(home)
        with pytest.raises(BlockingIOError), only_daemon(home, FakeClock()):
            pytest.fail("two daemons")
    assert not is_alive(home)


def test_secrets_are_in_private_files_and_nowhere_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/decoy/credentials.json",
        "CLOUDSDK_CONFIG": "/decoy/gcloud",
        "AWS_SECRET_ACCESS_KEY": "decoy-key",
        "GPUPIPE_TOKEN": "decoy-token",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    info = daemon.ensure_running(home)
    token = info.token()
    process = Path(f"/proc/{info.pid}")
    environment = (process / "environ").read_bytes().decode()
    assert not [name for name in secrets if name in environment]
    seen = (process / "cmdline").read_bytes().decode() + environment
    answers(info)
    seen += (home / "daemon.log").read_text() + state_file(home).read_text()
    assert token not in seen
    assert "decoy" not in seen
    for path in home.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert home.stat().st_mode & 0o777 == 0o700


def test_no_descriptor_of_the_starter_is_inherited(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "open-file"
    with secret.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        info = daemon.ensure_running(home)
        opened = {os.readlink(link) for link in Path(f"/proc/{info.pid}/fd").iterdir()}  # noqa: PTH115
    assert str(secret) not in opened


def test_it_is_a_session_of_its_own(home: Path) -> None:
    info = daemon.ensure_running(home)
    assert os.getsid(info.pid) == info.pid


def test_the_environment_keeps_what_builds_need_and_no_more() -> None:
    kept = daemon.daemon_environment(
        {
            "PATH": "/bin",
            "UV_CACHE_DIR": "/cache",
            "https_proxy": "http://proxy",
            "GOOGLE_CLOUD_PROJECT": "p",
            "PYTHONPATH": "/elsewhere",
            "STORAGE_EMULATOR_HOST": "x",
        }
    )
    assert {"PATH", "UV_CACHE_DIR", "https_proxy"} <= kept.keys()
    assert not {"GOOGLE_CLOUD_PROJECT", "PYTHONPATH", "STORAGE_EMULATOR_HOST"} & kept.keys()


def test_asking_costs_no_heavy_import() -> None:
    code = (
        "import sys; from gpupipe.localcloud import daemon; "
        "print([m for m in ('grpc','google.protobuf','starlette','uvicorn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


GET = "run.services.get"


class TestControl:
    """The control surface over the wire."""

    def test_reset_forgets_everything_but_stays_up(self, home: Path) -> None:
        info = daemon.ensure_running(home)
        (home / "objects" / "left-over").write_text("x")
        assert daemon.call(info, "POST", "/control/reset") == {"reset": True}
        assert not (home / "objects" / "left-over").exists()
        status = daemon.call(info, "GET", TOKEN_CALL)
        assert status["projects"] == ["gpupipe-local"]
        requests = daemon.call(info, "GET", "/control/requests?since=0")["requests"]
        assert "control.reset" in [row["method"] for row in requests]

    def test_after_a_reset_it_behaves_as_a_fresh_one(self, home: Path) -> None:
        info = daemon.ensure_running(home)
        quotas = daemon.call(info, "GET", "/control/quotas")
        quota = {name: quotas["quotas"][0][name] for name in ("service", "quota_id")}
        for name, body in (
            ("faults", {"method": GET, "kind": "error", "code": "UNAVAILABLE", "times": 1000}),
            ("faults", {"kind": "propagation", "seconds": 60}),
            (
                "faults",
                {"kind": "agent", "api": "eventarc.googleapis.com", "project": info.project},
            ),
            ("latency", {"factor": 2}),
            ("permissions", {"name": "roles/run.admin"}),
            ("quota", {"project": info.project, "region": info.region, "value": 7, **quota}),
        ):
            daemon.call(info, "POST", f"/control/{name}", body)
        assert len(daemon.call(info, "GET", TOKEN_CALL)["unusual"]) == 4
        assert daemon.call(info, "GET", "/control/quotas") != quotas
        daemon.call(info, "POST", "/control/reset")
        assert daemon.call(info, "GET", TOKEN_CALL)["unusual"] == {}
        assert daemon.call(info, "GET", "/control/faults") == {"faults": []}
        assert daemon.call(info, "GET", "/control/quotas") == quotas

    @pytest.mark.parametrize(
        "body",
        [
            None,
            {},
            {"method": GET},
            {"method": GET, "code": "NOT_A_CODE"},
            {"method": GET, "code": "UNAVAILABLE", "times": 0},
            {"method": GET, "code": "UNAVAILABLE", "kind": "during"},
            {"method": GET, "code": "UNAVAILABLE", "unknown": 1},
            {"method": GET, "kind": "stall"},
            {"method": GET, "kind": "reset", "code": "UNAVAILABLE"},
            {"method": GET, "kind": "slow", "seconds": 1},
            {"method": "run.services.got", "code": "UNAVAILABLE"},
            [{"method": GET, "code": "UNAVAILABLE"}, {"method": "m", "code": "UNAVAILABLE"}],
            {"kind": "propagation", "seconds": -1},
            {"kind": "agent", "api": "nothing.googleapis.com", "project": "gpupipe-local"},
        ],
    )
    def test_bad_faults_are_refused(self, home_info: DaemonInfo, body: object) -> None:
        with pytest.raises(GpupipeError) as refused:
            daemon.call(home_info, "POST", "/control/faults", body)
        assert "400" in (refused.value.details or "")
        assert daemon.call(home_info, "GET", "/control/faults") == {"faults": []}

    def test_faults_are_put_in_and_cleared(self, home_info: DaemonInfo) -> None:
        given = [
            {"method": "run.services.get", "code": "ABORTED"},
            {"method": "storage.objects.insert", "code": "INTERNAL", "times": 3},
        ]
        found = daemon.call(home_info, "POST", "/control/faults", given)["faults"]
        assert [f["left"] for f in found] == [1, 3]
        assert daemon.call(home_info, "DELETE", "/control/faults") == {"faults": []}

    def test_requests_are_paged_by_sequence(self, home_info: DaemonInfo) -> None:
        rows = daemon.call(home_info, "GET", "/control/requests?since=0")["requests"]
        last = rows[-1]["seq"] if rows else 0
        daemon.call(home_info, "GET", TOKEN_CALL)
        later = daemon.call(home_info, "GET", f"/control/requests?since={last}")["requests"]
        assert all(row["seq"] > last for row in later)
        with pytest.raises(GpupipeError):
            daemon.call(home_info, "GET", "/control/requests?since=-1")


@pytest.fixture(scope="module")
def home_info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonInfo]:
    """One daemon for the tests that only talk to it."""
    path = tmp_path_factory.mktemp("shared") / "home"
    yield daemon.ensure_running(path)
    daemon.stop(path)
