"""Callbacks of executions: their endpoints, who may call them, what comes of a restart."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud.workflows import executions_v1
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.workflows import WorkflowTester

State = executions_v1.Execution.State
WAITS = """
main:
  params: [given]
  steps:
    - make:
        call: events.create_callback_endpoint
        args: {http_callback_method: '${given.method}'}
        result: endpoint
    - hold:
        switch: [{condition: '${given.hold}', call: sys.sleep, args: {seconds: 3600}}]
    - wait:
        call: events.await_callback
        args: {callback: '${endpoint}', timeout: '${given.timeout}'}
        result: first
    - again:
        switch:
          - condition: ${given.twice}
            steps:
              - more:
                  call: events.await_callback
                  args: {callback: '${endpoint}'}
                  result: second
              - both: {return: ['${first.http_request.body}', '${second.http_request.body}']}
    - done: {return: '${first}'}
"""


@pytest.fixture(scope="module")
def tester(module_cloud: RunningCloud) -> WorkflowTester:
    return deployed(WorkflowTester(module_cloud))


def deployed(tester: WorkflowTester) -> WorkflowTester:
    tester.deploy("flow", WAITS)
    return tester


def begun(tester: WorkflowTester, step: str = "wait", **given: Any) -> str:
    """An execution that is at a step."""
    argument = {"method": "POST", "hold": False, "twice": False, "timeout": 3600, **given}
    name = tester.start(f"{tester.parent}/workflows/flow", argument).name
    at_step(tester, name, step)
    return name


def at_step(tester: WorkflowTester, name: str, step: str) -> None:
    tester.wait_for(name, lambda one: any(s.step == step for s in one.status.current_steps))


def callbacks(tester: WorkflowTester, execution: str) -> list[dict[str, Any]]:
    answer = tester.cloud.http_client().get(f"/v1/{execution}/callbacks")
    found: list[dict[str, Any]] = answer.raise_for_status().json().get("callbacks", [])
    return found


def call(
    tester: WorkflowTester, callback: dict[str, Any], verb: str = "POST", **sent: Any
) -> httpx.Response:
    return tester.cloud.http_client().request(verb, f"/v1/{callback['name']}", **sent)


def waiting(tester: WorkflowTester, execution: str) -> dict[str, Any]:
    """The one callback of an execution, once a step waits for it."""
    found: list[dict[str, Any]] = []

    def waits(_: executions_v1.Execution) -> bool:
        found[:] = callbacks(tester, execution)
        return bool(found) and found[0].get("waiters") == "1"

    tester.wait_for(execution, waits)
    return found[0]


def test_a_call_goes_on_with_the_execution(tester: WorkflowTester) -> None:
    name = begun(tester)
    one = waiting(tester, name)
    assert (one["method"], one["name"].startswith(f"{name}/callbacks/")) == ("POST", True)
    answer = call(tester, one, json={"ok": [1]}, params={"a": ["b", "c"]}, headers={"x-from": "me"})
    assert answer.status_code == 200
    ended = json.loads(tester.ended(name).result)
    request = ended["http_request"]
    assert ended["type"] == "HTTP"
    assert ended["received_time"].endswith("Z")
    assert (request["method"], request["body"]) == ("POST", {"ok": [1]})
    assert request["query"] == {"a": ["b", "c"]}
    assert request["url"] == f"/v1/{one['name']}?a=b&a=c"
    assert request["headers"]["X-From"] == ["me"]
    assert "Authorization" not in request["headers"]
    assert callbacks(tester, name) == []
    assert call(tester, one).status_code == 404


def test_a_call_before_the_wait_is_kept_but_one_alone(tester: WorkflowTester) -> None:
    name = begun(tester, "hold", hold=True)
    (one,) = callbacks(tester, name)
    assert "waiters" not in one
    assert call(tester, one, content=b"first").status_code == 200
    assert callbacks(tester, name)[0]["availablePayloads"] == ["first"]
    assert call(tester, one, content=b"second").status_code == 429


def test_each_wait_takes_a_call(tester: WorkflowTester) -> None:
    name = begun(tester, twice=True)
    assert call(tester, waiting(tester, name), content=b"1").status_code == 200
    at_step(tester, name, "more")
    assert call(tester, waiting(tester, name), json=None).status_code == 200
    assert json.loads(tester.ended(name).result) == ["1", None]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_an_endpoint_takes_its_method_alone(tester: WorkflowTester, method: str) -> None:
    name = begun(tester, method=method)
    one = waiting(tester, name)
    wrong = call(tester, one, "POST")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, method)
    assert call(tester, one, method).status_code == 200
    assert json.loads(tester.ended(name).result)["http_request"]["method"] == method


def test_nobody_calls_in_time(tester: WorkflowTester) -> None:
    argument = {"method": "POST", "hold": False, "twice": False, "timeout": 0.05}
    error = json.loads(tester.once(WAITS, argument).error.payload)
    assert error["tags"] == ["TimeoutError"]


def test_callers_need_a_token_and_a_role(tester: WorkflowTester) -> None:
    name = begun(tester)
    (one,) = callbacks(tester, name)
    path = f"/v1/{one['name']}"
    assert tester.cloud.http_client("").post(path).status_code == 401
    token = tester.cloud.account_token("caller")
    refused = tester.cloud.http_client(token).post(path)
    assert refused.status_code == 403
    assert "workflows.callbacks.send" in refused.text
    member = f"serviceAccount:caller@{tester.cloud.project}.iam.gserviceaccount.com"
    project = f"projects/{tester.cloud.project}"
    assert tester.cloud.http_client(token).get(f"/v1/{name}/callbacks").status_code == 403
    tester.cloud.kernel.policies.grant(project, "roles/workflows.invoker", member)
    assert tester.cloud.http_client(token).post(path).status_code == 200
    assert tester.ended(name).state == State.SUCCEEDED


def test_a_waiting_execution_can_be_cancelled(tester: WorkflowTester) -> None:
    name = begun(tester)
    one = waiting(tester, name)
    tester.executions.cancel_execution(name=name, timeout=5)
    assert tester.get(name).state == State.CANCELLED
    assert call(tester, one).status_code == 404


def test_calls_outlive_a_restart(local_cloud_factory: CloudFactory, tmp_path: Path) -> None:
    first = deployed(WorkflowTester(local_cloud_factory(home=tmp_path / "home")))
    name = begun(first, twice=True)
    one = waiting(first, name)
    assert call(first, one, json=1).status_code == 200
    at_step(first, name, "more")
    first.cloud.stop()
    second = WorkflowTester(local_cloud_factory(home=tmp_path / "home"))
    at_step(second, name, "more")
    assert waiting(second, name)["name"] == one["name"]
    assert call(second, one, json=2).status_code == 200
    assert json.loads(second.ended(name).result) == [1, 2]


def test_what_is_no_callback(tester: WorkflowTester) -> None:
    steps = [{"a": {"call": "events.await_callback", "args": {"callback": {"url": "http://x/"}}}}]
    assert json.loads(tester.once(json.dumps(steps)).error.payload)["tags"] == ["ValueError"]
    steps[0]["a"]["args"] = {"callback": {}}
    assert json.loads(tester.once(json.dumps(steps)).error.payload)["tags"] == ["TypeError"]
    steps = [{"a": {"return": '${events.create_callback_endpoint("TRACE")}'}}]
    assert json.loads(tester.once(json.dumps(steps)).error.payload)["tags"] == ["ValueError"]
    name = begun(tester)
    (one,) = callbacks(tester, name)
    assert call(tester, one, content=b"x" * (512 * 1024 + 1)).status_code == 413
    http = tester.cloud.http_client()
    assert http.get(f"/v1/{name}/callbacks", params={"pageSize": "x"}).status_code == 400
    assert http.get(f"/v1/{name}x/callbacks").status_code == 404


def test_an_endpoint_calls_an_endpoint(tester: WorkflowTester) -> None:
    """In an expression, and answered by the execution itself, with the account's token."""
    source = """
main:
  steps:
    - make: {assign: [{e: '${events.create_callback_endpoint()}'}]}
    - both:
        parallel:
          shared: [got]
          branches:
            - wait: {steps: [{w: {call: events.await_callback, args: {callback: '${e}'}, result: got}}]}
            - call: {steps: [{c: {call: http.post, args: {url: '${e.url}', body: {n: 1}, auth: {type: OAuth2}}}}]}
    - done: {return: '${got.http_request.body.n}'}
""".replace("    - make", "    - init: {assign: [{got: null}]}\n    - make")
    member = f"serviceAccount:{tester.account}"
    project = f"projects/{tester.cloud.project}"
    tester.cloud.kernel.policies.grant(project, "roles/workflows.invoker", member)
    assert json.loads(tester.once(source).result) == 1
