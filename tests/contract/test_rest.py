"""Cloud Run and Workflow Executions over REST: the same methods, with protobuf's JSON."""

from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports.rest import ServicesRestTransport
from google.oauth2.credentials import Credentials
from tests.support.localcloud import RunningCloud
from tests.support.run_services import RunTester
from tests.support.workflows import WorkflowTester

from gpupipe.localcloud.transport.http_rules import rules

FLOW = '[{"a": {"return": 1}}]'


@pytest.fixture(scope="module")
def tester(module_cloud: RunningCloud) -> WorkflowTester:
    tester = WorkflowTester(module_cloud)
    tester.deploy("flow", FLOW)
    return tester


def rest_client(cloud: RunningCloud) -> run_v2.ServicesClient:
    """The official client over REST, on loopback."""
    host = cloud.http.removeprefix("http://")
    transport = ServicesRestTransport(
        host=host, credentials=Credentials(cloud.token), url_scheme="http"
    )
    transport._session.trust_env = False
    return run_v2.ServicesClient(transport=transport)


def test_the_official_client_speaks_it(local_cloud: RunningCloud, tmp_path: Path) -> None:
    run = RunTester(local_cloud, tmp_path)
    client = rest_client(local_cloud)
    request = {"parent": run.parent, "service_id": "svc", "service": run.service(run.image())}
    checked = {**request, "validate_only": True}
    assert client.create_service(request=checked, timeout=20).result(timeout=30)
    with pytest.raises(NotFound):
        client.get_service(name=f"{run.parent}/services/svc", timeout=5)
    made = client.create_service(request=request, timeout=20).result(timeout=30)
    assert made.name == f"{run.parent}/services/svc"
    assert [one.name for one in client.list_services(parent=run.parent, timeout=5)] == [made.name]
    made.labels = {"a": "b"}
    mask = {"service": made, "update_mask": "labels"}
    assert dict(client.update_service(request=mask, timeout=20).result(timeout=30).labels) == {
        "a": "b"
    }
    client.delete_service(name=made.name, timeout=20).result(timeout=30)
    assert list(client.list_services(parent=run.parent, timeout=5)) == []


def test_every_method_is_there_over_rest(module_cloud: RunningCloud) -> None:
    assert {rule.method for rule in rules()} == {row.path for row in module_cloud.cloud.rpcs()}


def test_an_execution_from_its_start_to_its_end(tester: WorkflowTester) -> None:
    workflow = f"{tester.parent}/workflows/flow"
    http = tester.cloud.http_client()
    made = http.post(f"/v1/{workflow}/executions", json={"labels": {"a": "b"}}).json()
    assert made["labels"] == {"a": "b"}
    tester.ended(made["name"])
    assert http.get(f"/v1/{made['name']}").json()["result"] == "1"
    listed = http.get(f"/v1/{workflow}/executions", params={"pageSize": 1, "view": "FULL"}).json()
    assert [one["state"] for one in listed["executions"]] == ["SUCCEEDED"]
    ended = http.post(f"/v1/{made['name']}:cancel")
    assert (ended.status_code, ended.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


@pytest.mark.parametrize(
    ("verb", "path", "sent", "status"),
    [
        ("GET", "/executions", {"params": {"colour": "red"}}, 400),
        ("GET", "/executions", {"params": {"pageSize": "many"}}, 400),
        ("GET", "/executions", {"params": {"fields": "name"}}, 400),
        ("GET", "/executions", {"params": {"callback": "f"}}, 501),
        ("GET", "/executions", {"params": {"alt": "yaml"}}, 400),
        ("GET", "/executions", {"params": {"alt": "proto"}}, 501),
        ("POST", "/executions", {"json": {"colour": "red"}}, 400),
        ("POST", "/executions", {"content": b"{"}, 400),
        ("POST", "/executions", {"content": b"[" * 100_000}, 400),
        ("POST", "/executions", {"content": b" " * (4 * 1024 * 1024 + 1)}, 400),
        ("GET", "/executions/none", {}, 404),
        ("GET", "/executions/none", {"json": {"a": 1}}, 400),
        ("GET", "/colours", {}, 501),
        ("GET", "/executions", {"headers": {"authorization": "Bearer no"}}, 401),
    ],
)
def test_what_is_wrong_is_refused(
    tester: WorkflowTester, verb: str, path: str, sent: dict[str, Any], status: int
) -> None:
    workflow = f"{tester.parent}/workflows/flow"
    answer = tester.cloud.http_client().request(verb, f"/v1/{workflow}{path}", **sent)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
