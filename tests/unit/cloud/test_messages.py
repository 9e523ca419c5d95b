"""What is sent of options that the local cloud does not have: networks and keys."""

from typing import Any

import pytest
from google.cloud import artifactregistry_v1, run_v2, workflows_v1
from tests.support.clock import FakeClock

from gpupipe.cloud.artifact_registry import ArtifactRegistryApi, Repository
from gpupipe.cloud.call import Caller
from gpupipe.cloud.run import RunApi, Service, Vpc
from gpupipe.cloud.workflows import Workflow, WorkflowsApi

KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
PARENT = "projects/p/locations/l"


class RecordedError(Exception):
    """The request has been seen: nothing is answered."""


class Recorder:
    """Hands itself out as every client, and keeps the first request."""

    def __init__(self) -> None:
        self.request: Any = None

    def client(self, _: str) -> "Recorder":
        return self

    def storage(self) -> Any:
        raise NotImplementedError

    def session(self) -> Any:
        raise NotImplementedError

    def identity(self) -> str:
        raise NotImplementedError

    def __getattr__(self, _: str) -> Any:
        def method(request: Any, **_: Any) -> Any:
            self.request = request
            raise RecordedError

        return method


def sent(api: Any, wanted: Any) -> Any:
    recorder = Recorder()
    with pytest.raises(RecordedError):
        api(recorder, Caller(FakeClock())).create(wanted)
    return recorder.request


def service(vpc: Vpc | None) -> Service:
    return Service(
        name=f"{PARENT}/services/s", image="i", account="a", labels={}, environment={}, cpu="1",
        memory="1Gi", accelerator="", zonal_redundancy=False, cpu_idle=True, startup_boost=True,
        concurrency=1, timeout_s=1, min_instances=0, max_instances=1, probe=("/", 1, 1),
        ingress="INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", vpc=vpc, kms_key=KEY,
    )  # fmt: skip


@pytest.mark.promise(117)
def test_a_network_of_the_users() -> None:
    made = sent(RunApi, service(Vpc("n", "s", "", "ALL_TRAFFIC")))["service"]
    access = made.template.vpc_access
    (interface,) = access.network_interfaces
    assert (interface.network, interface.subnetwork, access.connector) == ("n", "s", "")
    assert access.egress == run_v2.VpcAccess.VpcEgress.ALL_TRAFFIC
    assert made.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER
    made = sent(RunApi, service(Vpc("", "", "c", "PRIVATE_RANGES_ONLY")))["service"]
    assert made.template.vpc_access.connector == "c"
    assert not made.template.vpc_access.network_interfaces
    assert not sent(RunApi, service(None))["service"].template.vpc_access


@pytest.mark.promise(120)
def test_a_key_of_the_users() -> None:
    assert sent(RunApi, service(None))["service"].template.encryption_key == KEY
    repository = Repository(f"{PARENT}/repositories/r", {}, "", 3, kms_key=KEY)
    made = artifactregistry_v1.CreateRepositoryRequest(sent(ArtifactRegistryApi, repository))
    assert made.repository.kms_key_name == KEY
    workflow = Workflow(f"{PARENT}/workflows/w", "main: []", "a", {}, {}, "", kms_key=KEY)
    created = workflows_v1.CreateWorkflowRequest(sent(WorkflowsApi, workflow))
    assert created.workflow.crypto_key_name == KEY
