"""Each alert policy of a deployed pipeline fires for what it is there for, and for nothing else.

What fires is read twice: from the local cloud's incidents, and from `gpupipe status`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.cloud.workflows import executions_v1
from tests.support.crashes import HURRY, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer
from tests.support.shapes import faults
from tests.support.waiting import until

from gpupipe.cloud.call import Caller
from gpupipe.cloud.target import Kind, Target
from gpupipe.commands import _status
from gpupipe.context import Context
from gpupipe.core.clock import SystemClock
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.localcloud.kernel.metrics import NothingRecorded, Sample
from gpupipe.render.output import StatusOutput

PROJECT = "alarmed-project"
RUN, RESOURCE = "run.googleapis.com", "cloud_run_revision"
ACCOUNT = f"serviceAccount:ml-pipeline-eventarc@{PROJECT}.iam.gserviceaccount.com"
QUIET, BUSY, IDLE = 6, 22, 36
"""Minutes of each part."""


class Ahead(SystemClock):
    """The machine's clock, moved ahead without a word: nothing looks at it until the test does."""

    def __init__(self) -> None:
        self.by_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.by_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.by_s


class Devices(NothingRecorded):
    """What no machine of a test has: GPUs that work, and an instance that stays."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud
        self.values: dict[str, float] = {}

    def descriptors(self, project: str) -> tuple[()]:
        del project
        return ()

    def gauges(self) -> Iterator[Sample]:
        for metric, value in self.values.items():
            labels = resource("gpu-inference")
            own = {"state": "idle"} if metric.endswith("instance_count") else {}
            now = self._cloud.kernel.clock.now()
            yield Sample(f"{RUN}/{metric}", RESOURCE, labels, now, value, own)


def resource(service: str) -> dict[str, str]:
    name = f"ml-pipeline-{service}"
    return {"project_id": PROJECT, "location": "us-central1", "service_name": name,
            "configuration_name": name, "revision_name": f"{name}-of-the-test"}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What fires: by the incidents, by `status --check`; which resources are not ready; the exit code."""

    incidents: set[str]
    status: set[str]
    unready: set[str]
    code: int


@dataclass
class Drill:
    """Lets things happen, minute after minute, and asks what is told of them."""

    deployed: Deployer
    clock: Ahead
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kernel = self.deployed.cloud.kernel
        self.devices = Devices(self.deployed.cloud)
        self.kernel.metrics.register(self.devices)

    def minutes(self, count: int, *requests: tuple[str, int, float]) -> None:
        """So many minutes, with these requests (service, status, seconds) in each."""
        for _ in range(count):
            self.clock.by_s += 60
            for service, status, seconds in requests:
                self.request(service, status, seconds)
            self.kernel.metrics.sample()

    def told(self, capsys: pytest.CaptureFixture[str]) -> Told:
        """What is told now."""
        self.kernel.incidents.refresh()
        every = self.kernel.incidents.all(PROJECT)
        incidents = {short(one.display_name) for one in every if one.closed is None}
        spec, clock = self.deployed.spec, self.clock
        cloud = self.deployed.connect(Caller(clock, hurry=HURRY))
        target = Target(Kind.LOCAL, PROJECT, "flag", "test")
        request = _status.StatusRequest(
            Flags(), check=True, watch_s=None, exit_code=True, output=StatusOutput.JSON
        )
        code = _status.carry_out(request, Context(target, spec.config, spec, clock, cloud))
        answer = json.loads(capsys.readouterr().out)
        assert faults(answer) == []
        assert answer["alerts"]["policies"] == 6
        assert answer["healthy"] is (code == Exit.DONE)
        unready = {one["kind"] for one in answer["resources"] if one["state"] != "ready"}
        firing = {short(one["policy"]) for one in answer["alerts"]["firing"]}
        return Told(incidents, firing, unready - {"image"}, code)

    def request(self, service: str, status: int, seconds: float) -> None:
        request = {"status": status, "latency": f"{seconds:.6f}s"}
        self.log(f"{RUN}%2Frequests", RESOURCE, resource(service), {"httpRequest": request})

    def log(self, log: str, kind: str, labels: dict[str, str], payload: dict[str, Any]) -> None:
        self.kernel.logs.write(f"projects/{PROJECT}/logs/{log}", kind, labels, "ERROR", payload)

    def failure(self, error_class: str) -> None:
        labels = {"workflow_id": "ml-pipeline-ml-pipeline", "location": "us-central1"}
        payload = {"message": "failed", "class": error_class}
        self.log("workflow", "workflows.googleapis.com/Workflow", labels, payload)

    def block_events(self) -> None:
        """The trigger's account loses its roles, then a file comes: one that an execution leaves alone."""
        name = f"projects/{PROJECT}"
        policy = self.kernel.policies.get(name)
        for binding in policy.bindings:
            if ACCOUNT in binding.members:
                binding.members.remove(ACCOUNT)
                self.lost.append(binding.role)
        self.kernel.policies.put(name, policy)
        storage = self.deployed.cloud.storage_client(project=PROJECT)
        bucket = storage.bucket(self.deployed.spec.names.bucket("input"))
        bucket.blob("_waits.txt").upload_from_string("some words")

    def let_events_through(self) -> None:
        """The account has its roles again, and the file's execution ends."""
        for role in self.lost:
            self.kernel.policies.grant(f"projects/{PROJECT}", role, ACCOUNT)
        self.kernel.clock.advance(0)
        client: Any = self.deployed.cloud.client(executions_v1.ExecutionsClient)
        workflow = self.deployed.spec.workflow_name
        until(lambda: any(one.end_time for one in client.list_executions(parent=workflow)))


def short(policy: str) -> str:
    return policy.removeprefix("ml-pipeline-")


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    clock = Ahead()
    cloud = start_cloud(tmp_path_factory.mktemp("alarmed") / "cloud", clock=clock)
    deployed = tiny_deployer(cloud, PROJECT)
    assert deployed.deploy(canary=False).outcome.errors == []
    yield Drill(deployed, clock)
    cloud.stop()


@pytest.mark.promise(79)
@pytest.mark.promise(98)
def test_each_fires_for_what_it_is_there_for(
    drill: Drill, capsys: pytest.CaptureFixture[str]
) -> None:
    # A pipeline at work: a file that is not good, short requests, a GPU that has room.
    drill.failure("input")
    drill.devices.values = {"container/gpu/utilizations": 0.5}
    drill.minutes(QUIET, ("preprocess", 200, 0.1), ("gpu-inference", 200, 2.0))
    assert drill.told(capsys) == Told(set(), set(), set(), Exit.DONE)

    drill.block_events()
    drill.devices.values = {"container/gpu/utilizations": 0.99}
    drill.minutes(BUSY, ("preprocess", 500, 0.1), ("preprocess", 200, 0.1),
                  ("gpu-inference", 200, 250.0))  # fmt: skip
    drill.failure("system")
    busy = {"failed-executions", "error-rate", "latency", "gpu-saturation", "undelivered-events"}
    assert drill.told(capsys) == Told(busy, busy, {"project grants"}, Exit.DIFFERENCES)

    drill.let_events_through()
    drill.devices.values = {"container/instance_count": 1}
    drill.minutes(IDLE)
    idle = {"idle-instance"}
    assert drill.told(capsys) == Told(idle, idle, set(), Exit.DIFFERENCES)
