"""Each alert policy of a deployed pipeline fires for what it is there for, and for nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer

from gpupipe.localcloud.kernel.metrics import NothingRecorded, Sample

PROJECT = "alarmed-project"
RUN, RESOURCE = "run.googleapis.com", "cloud_run_revision"
ACCOUNT = f"serviceAccount:ml-pipeline-eventarc@{PROJECT}.iam.gserviceaccount.com"
QUIET, BUSY, IDLE = 6, 22, 36
"""Minutes of each part."""


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


@dataclass
class Drill:
    """Lets things happen, minute after minute, and keeps which policies had an open incident."""

    deployed: Deployer
    fired: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kernel = self.deployed.cloud.kernel
        self.devices = Devices(self.deployed.cloud)
        self.kernel.metrics.register(self.devices)

    def minutes(self, part: str, count: int, *requests: tuple[str, int, float]) -> None:
        """So many minutes, with these requests (service, status, seconds) in each."""
        fired = self.fired.setdefault(part, set())
        for _ in range(count):
            self.kernel.clock.advance(60)
            for service, status, seconds in requests:
                self.request(service, status, seconds)
            self.kernel.incidents.refresh()
            fired |= {
                one.display_name.removeprefix("ml-pipeline-")
                for one in self.kernel.incidents.all(PROJECT)
                if one.closed is None
            }

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
        """The trigger's account loses its roles, then a file comes."""
        name = f"projects/{PROJECT}"
        policy = self.kernel.policies.get(name)
        for binding in policy.bindings:
            binding.members[:] = [one for one in binding.members if one != ACCOUNT]
        self.kernel.policies.put(name, policy)
        storage = self.deployed.cloud.storage_client(project=PROJECT)
        bucket = storage.bucket(self.deployed.spec.names.bucket("input"))
        bucket.blob("waits.txt").upload_from_string("some words")


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    cloud = start_cloud(tmp_path_factory.mktemp("alarmed") / "cloud")
    deployed = tiny_deployer(cloud, PROJECT)
    assert deployed.deploy(canary=False).outcome.errors == []
    drill = Drill(deployed)
    # A pipeline at work: a file that is not good, short requests, a GPU that has room.
    drill.failure("input")
    drill.devices.values = {"container/gpu/utilizations": 0.5}
    drill.minutes("quiet", QUIET, ("preprocess", 200, 0.1), ("gpu-inference", 200, 2.0))
    drill.failure("system")
    drill.block_events()
    drill.devices.values = {"container/gpu/utilizations": 0.99}
    drill.minutes("busy", BUSY, ("preprocess", 500, 0.1), ("preprocess", 200, 0.1),
                  ("gpu-inference", 200, 250.0))  # fmt: skip
    drill.devices.values = {"container/instance_count": 1}
    drill.minutes("idle", IDLE)
    yield drill
    cloud.stop()


@pytest.mark.promise(79)
@pytest.mark.promise(98)
@pytest.mark.parametrize(
    "policy", ["failed-executions", "error-rate", "latency", "gpu-saturation", "undelivered-events"]
)
def test_it_fires_for_what_it_is_there_for(drill: Drill, policy: str) -> None:
    assert policy in drill.fired["busy"]


@pytest.mark.promise(98)
def test_an_instance_that_is_up_without_a_request_is_told(drill: Drill) -> None:
    assert "idle-instance" in drill.fired["idle"]
    assert "idle-instance" not in drill.fired["busy"]


def test_a_pipeline_at_work_alarms_nobody(drill: Drill) -> None:
    assert drill.fired["quiet"] == set()
