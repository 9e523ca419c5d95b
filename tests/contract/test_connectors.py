"""Connectors of Workflows against the local cloud's own APIs, with the workflow's account."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.protobuf.json_format import ParseDict
from tests.support.localcloud import RunningCloud
from tests.support.run_services import RunTester
from tests.support.workflows import WorkflowTester

RUN = "googleapis.run.v2.projects.locations"
EXECUTIONS = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions"
CHILD = """
main:
  params: [n]
  steps:
    - a: {switch: [{condition: '${n < 0}', raise: {why: '${n}'}}]}
    - b: {return: '${n * 2}'}
"""


@pytest.fixture(scope="module")
def tester(module_cloud: RunningCloud) -> WorkflowTester:
    tester = WorkflowTester(module_cloud)
    tester.deploy("child", CHILD)
    return tester


def source(*calls: tuple[str, dict[str, Any]]) -> str:
    """Steps that call one after the other; the result is that of the last."""
    steps: list[Any] = [
        {f"s{at}": {"call": name, "args": args, "result": "found"}}
        for at, (name, args) in enumerate(calls)
    ]
    return json.dumps([*steps, {"end": {"return": "${found}"}}])


def outcome(tester: WorkflowTester, *calls: tuple[str, dict[str, Any]]) -> Any:
    """What it returned; its error's payload where it failed."""
    ended = tester.once(source(*calls))
    return json.loads(ended.error.payload or ended.result)


def grant(tester: WorkflowTester, role: str) -> None:
    member = f"serviceAccount:{tester.account}"
    tester.cloud.kernel.policies.grant(f"projects/{tester.cloud.project}", role, member)


@pytest.fixture(scope="module")
def bucket(tester: WorkflowTester) -> str:
    tester.cloud.enable("storage.googleapis.com")
    name: str = tester.cloud.storage_client().create_bucket("connected").name
    return name


def test_objects_need_a_role_of_the_workflows_account(tester: WorkflowTester, bucket: str) -> None:
    error = outcome(tester, ("googleapis.storage.v1.objects.list", {"bucket": bucket}))
    assert (error["code"], error["tags"]) == (403, ["HttpError"])
    assert error["message"] == "HTTP server responded with error code 403"
    assert error["body"]["error"]["code"] == 403


def test_objects_are_written_read_listed_and_deleted(tester: WorkflowTester, bucket: str) -> None:
    grant(tester, "roles/storage.objectAdmin")
    objects = "googleapis.storage.v1.objects"
    one = {"bucket": bucket, "object": '${text.url_encode("a/b c.json")}'}
    insert = (f"{objects}.insert", {"bucket": bucket, "name": "a/b c.json", "body": {"n": 1}})
    read = outcome(tester, insert, (f"{objects}.get", {**one, "alt": "media"}))
    assert read == {"n": 1}
    assert outcome(tester, (f"{objects}.get", one))["name"] == "a/b c.json"
    found = outcome(
        tester, (f"{objects}.list", {"bucket": bucket, "prefix": "a/", "maxResults": 5})
    )
    assert [item["name"] for item in found["items"]] == ["a/b c.json"]
    copied = {"sourceBucket": bucket, "sourceObject": one["object"], "destinationBucket": bucket,
              "destinationObject": "copy"}  # fmt: skip
    assert outcome(tester, (f"{objects}.copy", copied))["name"] == "copy"
    patched = (
        f"{objects}.patch",
        {"bucket": bucket, "object": "copy", "body": {"metadata": {"k": "v"}}},
    )
    assert outcome(tester, patched)["metadata"] == {"k": "v"}
    again = (insert[0], {**insert[1], "ifGenerationMatch": 0})
    assert outcome(tester, again)["code"] == 412
    assert outcome(tester, (f"{objects}.delete", one)) is None
    assert outcome(tester, (f"{objects}.get", one))["code"] == 404


def test_buckets_are_made_and_removed(tester: WorkflowTester, bucket: str) -> None:
    grant(tester, "roles/storage.admin")
    buckets, made = "googleapis.storage.v1.buckets", {"bucket": f"{bucket}-made"}
    body = {"name": made["bucket"]}
    insert = (f"{buckets}.insert", {"project": tester.cloud.project, "body": body})
    found = outcome(tester, insert, (f"{buckets}.get", made))
    assert found["name"] == made["bucket"]
    assert outcome(tester, (f"{buckets}.delete", made)) is None
    listed = outcome(tester, (f"{buckets}.list", {"project": tester.cloud.project}))
    assert [one["name"] for one in listed["items"]] == [bucket]


def test_another_workflow_runs_and_gives_its_result(tester: WorkflowTester) -> None:
    run = f"{EXECUTIONS}.run"
    denied = outcome(tester, (run, {"workflow_id": "child", "argument": 21}))
    assert denied["code"] == 403
    grant(tester, "roles/workflows.invoker")
    assert outcome(tester, (run, {"workflow_id": "child", "argument": 21})) == 42
    skipped = {"workflow_id": "child", "argument": 1, "connector_params": {"skip_polling": True}}
    assert outcome(tester, (run, skipped)) is None


def test_what_a_called_workflow_fails_with_is_told(tester: WorkflowTester) -> None:
    grant(tester, "roles/workflows.invoker")
    error = outcome(tester, (f"{EXECUTIONS}.run", {"workflow_id": "child", "argument": -1}))
    assert (error["message"], error["tags"]) == (
        "Execution failed or cancelled.",
        ["OperationError"],
    )
    assert error["operation"]["state"] == "FAILED"
    assert json.loads(error["operation"]["error"]["payload"]) == {"why": -1}


def test_executions_are_created_read_listed_and_cancelled(tester: WorkflowTester) -> None:
    grant(tester, "roles/workflows.invoker")
    parent = f"{tester.parent}/workflows/child"
    create = (f"{EXECUTIONS}.create", {"parent": parent, "body": {"argument": "4"}})
    created = outcome(tester, create)
    assert (created["state"], created["result"]) == ("SUCCEEDED", "8")
    assert outcome(tester, (f"{EXECUTIONS}.get", {"name": created["name"]})) == created
    listed = outcome(tester, (f"{EXECUTIONS}.list", {"parent": parent, "pageSize": 1}))
    assert len(listed["executions"]) == 1
    ended = outcome(tester, (f"{EXECUTIONS}.cancel", {"name": created["name"]}))
    assert ended["body"]["error"]["status"] == "FAILED_PRECONDITION"


def test_a_call_that_lasts_too_long_is_a_timeout(tester: WorkflowTester) -> None:
    grant(tester, "roles/workflows.invoker")
    sleeps = "main: {steps: [{a: {call: sys.sleep, args: {seconds: 3600}}}]}"
    slow = tester.deploy("slow", sleeps).name.rpartition("/")[2]
    params = {"timeout": 0.05, "polling_policy": {"initial_delay": 0.01, "max_delay": 0.01}}
    error = outcome(
        tester, (f"{EXECUTIONS}.run", {"workflow_id": slow, "connector_params": params})
    )
    assert error["tags"] == ["TimeoutError"]


@pytest.mark.parametrize(
    ("params", "tag"),
    [
        ({"timeout": "1"}, "TypeError"),
        ({"timeout": -1}, "ValueError"),
        ({"timeout": 1801}, "ValueError"),
        ({"skip_polling": "yes"}, "TypeError"),
        ({"polling_policy": {"colour": 1}}, "ValueError"),
        ({"colour": 1}, "ValueError"),
    ],
)
def test_wrong_parameters(tester: WorkflowTester, params: dict[str, Any], tag: str) -> None:
    args = {"name": f"{tester.parent}/workflows/child/executions/x", "connector_params": params}
    assert outcome(tester, (f"{EXECUTIONS}.get", args))["tags"] == [tag]


def test_services_are_deployed_and_waited_for(tester: WorkflowTester, tmp_path: Path) -> None:
    run = RunTester(tester.cloud, tmp_path)
    body = type(run.service(run.image())).to_dict(
        run.service(run.image()), use_integers_for_enums=False, preserving_proto_field_name=False
    )
    # What the API sets itself is left out, as a person would write it.
    body = {
        "template": {
            key: body["template"][key] for key in ("containers", "serviceAccount", "scaling")
        }
    }
    parent = {"parent": run.parent, "serviceId": "made", "body": body}
    assert outcome(tester, (f"{RUN}.services.create", parent))["code"] == 403
    grant(tester, "roles/run.admin")
    grant(tester, "roles/iam.serviceAccountUser")
    operation = outcome(tester, (f"{RUN}.services.create", parent))
    name = f"{run.parent}/services/made"
    assert (operation["done"], operation["response"]["name"]) == (True, name)
    ParseDict(
        outcome(tester, (f"{RUN}.services.get", {"name": name})),
        run_v2.Service.pb(run_v2.Service()),
    )
    listed = outcome(tester, (f"{RUN}.services.revisions.list", {"parent": name}))
    assert len(listed["revisions"]) == 1
    policy = {
        "bindings": [{"role": "roles/run.invoker", "members": [f"serviceAccount:{run.account}"]}]
    }
    set_policy = (f"{RUN}.services.setIamPolicy", {"resource": name, "body": {"policy": policy}})
    assert outcome(tester, set_policy)["bindings"] == policy["bindings"]
    deleted = {"name": name, "connector_params": {"skip_polling": True}}
    assert outcome(tester, (f"{RUN}.services.delete", deleted))["name"].startswith(run.parent)


def test_an_operation_that_fails_is_an_error_with_it(
    tester: WorkflowTester, tmp_path: Path
) -> None:
    run = RunTester(tester.cloud, tmp_path)
    grant(tester, "roles/run.admin")
    grant(tester, "roles/iam.serviceAccountUser")
    broken = run.image("import sys; sys.exit(3)")
    template = {"containers": [{"image": broken}], "serviceAccount": run.account}
    args = {"parent": run.parent, "serviceId": "broken", "body": {"template": template}}
    error = outcome(tester, (f"{RUN}.services.create", args))
    assert error["tags"] == ["OperationError"]
    assert error["operation"]["error"] == error["error"]
    assert error["message"] == error["error"]["message"]


def test_others_are_refused_by_name(tester: WorkflowTester) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=r"googleapis\.pubsub\.v1.*not emulated"):
        tester.deploy("other", source(("googleapis.pubsub.v1.projects.topics.publish", {})))
    with pytest.raises(exceptions.InvalidArgument, match="needs the argument 'object'"):
        tester.deploy("other", source(("googleapis.storage.v1.objects.get", {"bucket": "b"})))
    inside = json.dumps([{"a": {"return": '${googleapis.storage.v1.objects.list("b")}'}}])
    with pytest.raises(exceptions.InvalidArgument, match="only be used in a call step"):
        tester.deploy("other", inside)
