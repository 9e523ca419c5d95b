"""Faults, latency, denials and the clock, through official clients and through gpupipe's own calls.

Time is the cloud's own clock, moved by hand; our calls pause on a clock that passes at once.
"""

import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import requests
from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from google.cloud.artifactregistry_v1 import Repository
from tests.support.clock import FakeClock
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.workflows import WorkflowTester

from gpupipe.cloud.artifact_registry import Repository as OurRepository
from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import LocalClients
from gpupipe.cloud.cloud import Cloud, connect
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.target import Endpoint
from gpupipe.core.errors import Exit

GET, CREATE = "artifactregistry.repositories.get", "artifactregistry.repositories.create"
HOUR_S = 3600
API = "artifactregistry.googleapis.com"
GET_PATH = "/google.devtools.artifactregistry.v1.ArtifactRegistry/GetRepository"


@pytest.fixture(scope="module")
def ready(module_cloud: RunningCloud) -> RunningCloud:
    """A cloud with a repository and a bucket."""
    module_cloud.enable(API, "eventarc.googleapis.com")
    client = module_cloud.client(artifactregistry_v1.ArtifactRegistryClient)
    repository = Repository(format_=Repository.Format.DOCKER)
    client.create_repository(
        parent=parent(module_cloud), repository_id="there", repository=repository
    ).result(timeout=20)
    module_cloud.storage_client().create_bucket("faults-bucket")
    return module_cloud


@pytest.fixture
def cloud(ready: RunningCloud) -> Iterator[RunningCloud]:
    yield ready
    ready.control("DELETE", "faults")
    ready.control("POST", "latency", {"factor": 0})


@pytest.fixture
def ours(cloud: RunningCloud) -> Cloud:
    """gpupipe's own calls, as `deploy` makes them, on a clock that passes at once."""
    endpoint = Endpoint(cloud.grpc, cloud.http, cloud.kernel.settings.token)
    return connect(LocalClients(endpoint, cloud.project), Caller(FakeClock()))


def parent(cloud: RunningCloud) -> str:
    return f"projects/{cloud.project}/locations/us-central1"


def there(cloud: RunningCloud) -> str:
    return f"{parent(cloud)}/repositories/there"


def registry(cloud: RunningCloud) -> Any:
    return cloud.client(artifactregistry_v1.ArtifactRegistryClient)


def read(cloud: RunningCloud) -> Any:
    return registry(cloud).get_repository(name=there(cloud), retry=None, timeout=30)


def create(cloud: RunningCloud, repository_id: str) -> Any:
    return registry(cloud).create_repository(
        parent=parent(cloud),
        repository_id=repository_id,
        repository=Repository(format_=Repository.Format.DOCKER),
        retry=None,
        timeout=30,
    )


def add(cloud: RunningCloud, method: str, kind: str, **rest: Any) -> None:
    cloud.control("POST", "faults", {"method": method, "kind": kind, **rest})


def account(cloud: RunningCloud) -> list[tuple[int, int]]:
    """(consumed, left) of each fault."""
    faults = cloud.control("GET", "faults")["faults"]
    return [(fault["consumed"], fault["left"]) for fault in faults]


def until(found: Callable[[], object]) -> None:
    """Look until it is so; each look is a round trip."""
    clock_ends = HOUR_S
    while not found():
        clock_ends -= 1
        assert clock_ends, "it never came"


def codes(cloud: RunningCloud, method: str) -> list[str]:
    return [row["code"] for row in cloud.requests() if row["method"] == method]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "code": "UNAVAILABLE"},
        {"kind": "error", "code": "RESOURCE_EXHAUSTED", "retry_after_s": 3},
        {"kind": "lost"},
        {"kind": "lost", "code": "INTERNAL"},
        {"kind": "reset"},
    ],
    ids=str,
)
@pytest.mark.promise(36)
def test_our_calls_heal_what_passes(cloud: RunningCloud, ours: Cloud, fault: Any) -> None:
    for method in (GET, "storage.buckets.get"):
        cloud.control("POST", "faults", {"method": method, "times": 2, **fault})
    assert ours.registry.get(there(cloud)) is not None
    assert ours.storage.get("faults-bucket") is not None
    assert account(cloud) == [(2, 0), (2, 0)]


def test_a_final_refusal_is_not_repeated(cloud: RunningCloud, ours: Cloud) -> None:
    add(cloud, GET, "error", code="PERMISSION_DENIED", times=3)
    with pytest.raises(ApiError):
        ours.registry.get(there(cloud))
    assert account(cloud) == [(1, 2)]


def test_retry_after_reaches_the_client(cloud: RunningCloud, ours: Cloud) -> None:
    add(cloud, GET, "error", code="RESOURCE_EXHAUSTED", retry_after_s=3)
    assert ours.registry.get(there(cloud)) is not None
    assert isinstance(ours.caller.clock, FakeClock)
    assert ours.caller.clock.slept == [3]


def test_a_reset_closes_an_http_connection_without_an_answer(cloud: RunningCloud) -> None:
    add(cloud, "storage.buckets.get", "reset")
    client = cloud.storage_client()
    with pytest.raises((requests.ConnectionError, ConnectionError)):
        client.get_bucket("faults-bucket", retry=None, timeout=20)
    assert client.get_bucket("faults-bucket", retry=None, timeout=20).name == "faults-bucket"


def test_a_reset_over_grpc_reads_like_a_broken_connection(cloud: RunningCloud) -> None:
    add(cloud, GET, "reset")
    with pytest.raises(exceptions.ServiceUnavailable, match="Socket closed"):
        read(cloud)
    assert read(cloud).name == there(cloud)


def test_a_lost_answer_leaves_the_object_written(cloud: RunningCloud) -> None:
    add(cloud, "storage.objects.insert", "lost")
    blob = cloud.storage_client().bucket("faults-bucket").blob("lost.txt")
    with pytest.raises((requests.ConnectionError, ConnectionError)):
        blob.upload_from_string(b"data", if_generation_match=0, retry=None, timeout=20)
    assert blob.download_as_bytes(retry=None, timeout=20) == b"data"


def test_a_stalled_call_is_done_when_its_time_has_come(cloud: RunningCloud) -> None:
    add(cloud, GET, "stall", seconds=HOUR_S)
    add(cloud, "storage.buckets.get", "stall", seconds=HOUR_S)
    storage = cloud.storage_client()
    with ThreadPoolExecutor() as pool:
        over_grpc = pool.submit(read, cloud)
        over_http = pool.submit(storage.get_bucket, "faults-bucket", retry=None, timeout=60)
        until(lambda: account(cloud) == [(1, 0), (1, 0)])
        assert not over_grpc.done()
        assert not over_http.done()
        cloud.control("POST", "clock", {"seconds": HOUR_S})
        assert over_grpc.result(30).name == there(cloud)
        assert over_http.result(30).name == "faults-bucket"


def test_clearing_the_faults_ends_what_is_held_up(cloud: RunningCloud) -> None:
    add(cloud, GET, "stall", seconds=HOUR_S)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(read, cloud)
        until(lambda: account(cloud) == [(1, 0)])
        cloud.control("DELETE", "faults")
        assert held.result(30).name == there(cloud)


def test_a_grpc_client_that_goes_away_ends_the_stall(cloud: RunningCloud) -> None:
    add(cloud, GET, "stall", seconds=HOUR_S)
    method = cloud.grpc_channel().unary_unary(GET_PATH, None, None)
    call = method.future(_get_request(cloud), timeout=60)
    until(lambda: account(cloud) == [(1, 0)])
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    until(lambda: codes(cloud, GET)[-1] == "CANCELLED")


def _get_request(cloud: RunningCloud) -> bytes:
    request = artifactregistry_v1.GetRepositoryRequest(name=there(cloud))
    data: bytes = artifactregistry_v1.GetRepositoryRequest.serialize(request)
    return data


def test_an_http_client_that_goes_away_ends_the_stall(cloud: RunningCloud) -> None:
    add(cloud, "storage.buckets.get", "stall", seconds=HOUR_S)
    host, port = cloud.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"GET /storage/v1/b/faults-bucket HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {cloud.token}\r\n\r\n".encode()
        )
        until(lambda: account(cloud) == [(1, 0)])
    until(lambda: codes(cloud, "storage.buckets.get")[-1] == "CANCELLED")


def test_the_cloud_ends_although_a_call_is_held_up(local_cloud_factory: CloudFactory) -> None:
    cloud = local_cloud_factory()
    add(cloud, "storage.buckets.list", "stall", seconds=HOUR_S)
    client = cloud.storage_client()
    with ThreadPoolExecutor() as pool:
        held = pool.submit(lambda: list(client.list_buckets(retry=None, timeout=60)))
        until(lambda: account(cloud) == [(1, 0)])
        cloud.cloud.stop()
        assert held.exception(30) is None


def test_a_slow_operation_ends_when_its_time_has_come(cloud: RunningCloud) -> None:
    add(cloud, CREATE, "slow", seconds=HOUR_S)
    operation = create(cloud, "slow")
    assert not operation.done()
    cloud.control("POST", "clock", {"seconds": HOUR_S})
    assert operation.result(timeout=30).name.endswith("/slow")


@pytest.mark.parametrize(
    "fault",
    [{"kind": "operation", "code": "INTERNAL"}, {"kind": "lost"}],
    ids=["operation", "lost"],
)
def test_a_create_that_was_done_although_it_failed_says_so_when_it_is_asked_for_again(
    cloud: RunningCloud, ours: Cloud, fault: Any
) -> None:
    """A step adopts what is there then; the facade knows nothing of whose it is."""
    add(cloud, CREATE, **fault)
    name = f"{parent(cloud)}/repositories/done-{fault['kind']}"
    with pytest.raises(ApiError) as told:
        ours.registry.create(OurRepository(name, {}, "for a test", 10))
    assert told.value.refusal.code == "ALREADY_EXISTS"
    assert account(cloud) == [(1, 0)]
    assert ours.registry.get(name) is not None


def test_an_execution_without_an_answer_is_not_started_again(
    cloud: RunningCloud, ours: Cloud
) -> None:
    """Its name is the server's: nothing would tell the second from the first."""
    tester = WorkflowTester(cloud)
    workflow = tester.deploy("once", "main:\n  steps:\n    - end:\n        return: 1\n").name
    add(cloud, "workflowexecutions.executions.create", "lost")
    with pytest.raises(ApiError):
        ours.executions.start(workflow, {})
    assert len(ours.executions.newest(workflow, 10)) == 1
    add(cloud, "workflowexecutions.executions.create", "error", code="RESOURCE_EXHAUSTED",
        retry_after_s=1)  # fmt: skip
    ours.executions.start(workflow, {})
    assert len(ours.executions.newest(workflow, 10)) == 2


@pytest.mark.promise("D6")
def test_a_missing_agent_is_healed_by_making_it_again(cloud: RunningCloud, ours: Cloud) -> None:
    agents, api = cloud.kernel.agents, "eventarc.googleapis.com"
    ours.service_usage.make_agent(cloud.project, api)
    member = f"serviceAccount:{agents.agent_email(api, cloud.project)}"
    project = f"projects/{cloud.project}"
    cloud.control("POST", "faults", {"kind": "agent", "api": api, "project": cloud.project})
    assert account(cloud) == [(0, 1)]
    assert not any(member in one.members for one in cloud.kernel.policies.get(project).bindings)
    ours.service_usage.make_agent(cloud.project, api)
    assert account(cloud) == [(1, 0)]
    assert any(member in one.members for one in cloud.kernel.policies.get(project).bindings)


def test_clearing_the_faults_makes_a_missing_agent_again(cloud: RunningCloud) -> None:
    agents, api = cloud.kernel.agents, "eventarc.googleapis.com"
    email = agents.create(api, cloud.project)
    cloud.control("POST", "faults", {"kind": "agent", "api": api, "project": cloud.project})
    assert not agents.exists(email)
    assert cloud.control("DELETE", "faults") == {"faults": []}
    assert agents.exists(email)


def test_propagation_is_in_force_until_it_is_cleared(cloud: RunningCloud) -> None:
    cloud.control("POST", "faults", {"kind": "propagation", "seconds": 90})
    assert cloud.kernel.behaviour.propagation_s == 90
    assert cloud.control("DELETE", "faults") == {"faults": []}
    assert cloud.kernel.behaviour.propagation_s == 0


def test_one_bad_fault_of_several_puts_none_in_force(cloud: RunningCloud) -> None:
    bad = {"method": "artifactregistry.repositories.got", "kind": "reset"}
    with cloud.http_client() as client:
        answer = client.post("/control/faults", json=[{"method": GET, "kind": "reset"}, bad])
    assert answer.status_code == 400
    assert GET in answer.json()["error"]["message"]
    assert account(cloud) == []


@pytest.mark.parametrize("name", [GET, "roles/artifactregistry.reader"])
def test_a_revoked_permission_is_denied_by_name_until_it_is_restored(
    cloud: RunningCloud, name: str
) -> None:
    cloud.control("POST", "permissions", {"name": name})
    with pytest.raises(exceptions.PermissionDenied, match=GET):
        read(cloud)
    cloud.control("DELETE", "permissions", {"name": name})
    assert read(cloud).name == there(cloud)


def test_latency_makes_calls_and_operations_take_their_typical_time(cloud: RunningCloud) -> None:
    typical = cloud.control("POST", "latency", {"factor": 0.5})["typical_s"]
    operation = create(cloud, "typical")
    assert not operation.done()
    cloud.control("POST", "clock", {"seconds": typical["operations"][CREATE] / 2})
    assert operation.result(timeout=30).name.endswith("/typical")
    (row,) = [row for row in cloud.requests() if row["method"] == CREATE][-1:]
    assert row["ms"] >= 1000 * typical["writes"] / 2


def test_tokens_end_when_the_clock_is_moved(cloud: RunningCloud) -> None:
    client = cloud.storage_client(token=cloud.account_token("someone"))
    with pytest.raises(exceptions.Forbidden):
        client.get_bucket("faults-bucket", retry=None)
    cloud.control("POST", "clock", {"seconds": 2 * HOUR_S})
    with pytest.raises(Exception, match=r"401|[Rr]efresh"):
        client.get_bucket("faults-bucket", retry=None)


def test_lifecycle_rules_work_when_the_clock_is_moved(cloud: RunningCloud) -> None:
    client = cloud.storage_client()
    bucket = client.bucket("aging-bucket")
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.add_lifecycle_delete_rule(age=1)
    client.create_bucket(bucket)
    bucket.blob("old.txt").upload_from_string(b"x")
    cloud.control("POST", "clock", {"seconds": 48 * HOUR_S})
    until(lambda: not list(client.list_blobs("aging-bucket")))


def test_a_workflow_that_sleeps_goes_on_when_the_clock_is_moved(cloud: RunningCloud) -> None:
    tester = WorkflowTester(cloud)
    source = "main:\n  steps:\n    - nap:\n        call: sys.sleep\n        args: {seconds: 7200}\n"
    started = tester.start(tester.deploy("nap", source).name)

    def ended_after_two_more_hours() -> bool:
        cloud.control("POST", "clock", {"seconds": 2 * HOUR_S})
        return bool(tester.get(started.name).state.name == "SUCCEEDED")

    until(ended_after_two_more_hours)


def test_what_is_not_emulated_is_in_the_log_and_among_the_requests(
    cloud: RunningCloud, caplog: pytest.LogCaptureFixture
) -> None:
    seen = cloud.requests()[-1]["seq"]
    with caplog.at_level(logging.INFO, "gpupipe.localcloud"):
        with pytest.raises(exceptions.MethodNotImplemented):
            registry(cloud).get_project_settings(name="projects/p/projectSettings", retry=None)
        with cloud.http_client() as client:
            assert client.get("/no/such/thing").status_code == 501
            assert client.get("/storage/v1/b/faults-bucket/nothing").status_code == 400
    lines = [record.getMessage() for record in caplog.records]
    for words in ("GetProjectSettings", "GET /no/such/thing", "nothing"):
        assert any("not emulated" in line and words in line for line in lines), words
    rows = [row for row in cloud.requests(seen) if row["code"] == "UNIMPLEMENTED"]
    assert len(rows) == 3


def test_following_the_log_does_not_fill_it(cloud: RunningCloud) -> None:
    seen = cloud.requests()[-1]["seq"]
    assert cloud.requests(seen) == []
    assert cloud.requests(seen) == []


def test_an_account_that_stays_denied_tells_the_permission(
    cloud: RunningCloud, ours: Cloud
) -> None:
    cloud.enable("iam.googleapis.com")
    cloud.control("POST", "permissions", {"name": "iam.serviceAccounts.get"})
    try:
        with pytest.raises(ApiError) as caught:
            ours.iam.create(cloud.project, "never-seen", "", "")
    finally:
        cloud.control("DELETE", "permissions", {"name": "iam.serviceAccounts.get"})
    assert "iam.serviceAccounts.get" in (caught.value.details or "")
    assert "roles/iam.serviceAccountAdmin" in caught.value.resolution
    assert caught.value.exit is Exit.CREDENTIALS
