"""Workflow Executions v1 through the official client: really running, with the account's identity."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.workflows import executions_v1
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.run_services import RunTester
from tests.support.workflows import WorkflowTester, moment

from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import LocalClients
from gpupipe.cloud.executions import ExecutionsApi
from gpupipe.cloud.target import Endpoint
from gpupipe.core.clock import SystemClock
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.registry import SERVICES
from gpupipe.localcloud.services.executions import surface
from gpupipe.localcloud.services.executions.surface import ExecutionsSurface
from gpupipe.localcloud.transport.pipeline import Pipeline

State = executions_v1.Execution.State
ECHO = "main:\n  params: [given]\n  steps:\n    - done:\n        return: ${given}\n"
SLEEPS = """
main:
  params: [given]
  steps:
    - pause:
        call: sys.sleep
        args: {seconds: '${given.seconds}'}
    - done:
        return: ${sys.get_env("COLOUR")}
"""
CALLS = """
main:
  params: [given]
  steps:
    - ask:
        call: http.get
        args:
          url: ${given.url}
          query: {a: b}
          auth: {type: OIDC}
        result: answer
    - done:
        return: {code: '${answer.code}', path: '${answer.body.path}'}
"""


@pytest.fixture
def tester(local_cloud: RunningCloud) -> WorkflowTester:
    return WorkflowTester(local_cloud)


def test_an_execution_returns_its_result(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO)
    started = tester.start(workflow.name, {"n": [1, "ä"]})
    assert started.state == State.ACTIVE
    assert started.name.startswith(f"{workflow.name}/executions/")
    ended = tester.ended(started.name)
    assert ended.state == State.SUCCEEDED
    assert json.loads(ended.result) == {"n": [1, "ä"]}
    assert json.loads(ended.argument) == {"n": [1, "ä"]}
    assert ended.workflow_revision_id == workflow.revision_id
    assert moment(ended.end_time) >= moment(ended.start_time)


def test_a_failure_says_what_and_where(tester: WorkflowTester) -> None:
    ended = tester.run("main:\n  steps:\n    - bad:\n        raise: {class: input, n: 1}\n")
    assert ended.state == State.FAILED
    assert json.loads(ended.error.payload) == {"class": "input", "n": 1}
    assert 'in step "bad", routine "main", line: 3' in ended.error.context
    (element,) = ended.error.stack_trace.elements
    assert (element.step, element.routine, element.position.line) == ("bad", "main", 3)
    assert ended.result == ""


def test_environment_and_sleep(tester: WorkflowTester) -> None:
    ended = tester.run(SLEEPS, {"seconds": 0.01}, user_env_vars={"COLOUR": "blue"})
    assert json.loads(ended.result) == "blue"


def test_the_built_in_variables(tester: WorkflowTester) -> None:
    names = ["PROJECT_ID", "PROJECT_NUMBER", "LOCATION", "WORKFLOW_ID", "SERVICE_ACCOUNT_NAME"]
    values = ", ".join(f"""'${{sys.get_env("GOOGLE_CLOUD_{name}")}}'""" for name in names)
    ended = tester.run(f"main:\n  steps:\n    - done:\n        return: [{values}]\n")
    cloud = tester.cloud
    expected = [cloud.project, str(cloud.project_number), tester.region, "flow", tester.account]
    assert json.loads(ended.result) == expected


def test_a_running_one_shows_its_step_and_can_be_cancelled(tester: WorkflowTester) -> None:
    name = tester.start(tester.deploy("flow", SLEEPS).name, {"seconds": 3600}).name
    running = tester.wait_for(name, lambda one: bool(one.status.current_steps))
    (step,) = running.status.current_steps
    assert (step.routine, step.step) == ("main", "pause")
    cancelled = tester.executions.cancel_execution(name=name, timeout=5)
    assert cancelled.state == State.CANCELLED
    assert moment(cancelled.end_time) >= moment(cancelled.start_time)
    assert tester.get(name).state == State.CANCELLED
    with pytest.raises(exceptions.FailedPrecondition):
        tester.executions.cancel_execution(name=name, timeout=5)


def test_a_running_one_keeps_its_revision(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", SLEEPS, user_env_vars={"COLOUR": "old"})
    name = tester.start(workflow.name, {"seconds": 0.2}).name
    tester.update(workflow.name, user_env_vars={"COLOUR": "new"})
    ended = tester.ended(name)
    assert json.loads(ended.result) == "old"
    assert ended.workflow_revision_id == workflow.revision_id


def test_lists_are_newest_first_with_pages_states_and_views(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO).name
    names = [tester.start(workflow, number).name for number in range(3)]
    assert [tester.ended(name).state for name in names] == [State.SUCCEEDED] * 3

    def listed(**request: Any) -> list[Any]:
        asked = {"parent": workflow, **request}
        return list(tester.executions.list_executions(request=asked, timeout=5))

    assert [one.name for one in listed(page_size=2)] == names[::-1]
    assert {one.argument for one in listed()} == {""}
    full = listed(view=executions_v1.ExecutionView.FULL, filter='state="SUCCEEDED"')
    assert [one.result for one in full] == ["2", "1", "0"]
    assert listed(filter='state="FAILED"') == []
    with pytest.raises(exceptions.InvalidArgument):
        listed(page_token="bm8=")


def test_lists_are_filtered_and_ordered_by_what_executions_have(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO, labels={"team": "a", "tier": "x"})
    first = tester.ended(tester.start(workflow.name, 1).name)
    second = tester.ended(tester.start(workflow.name, 2, labels={"team": "b"}).name)
    changed = tester.update(workflow.name, user_env_vars={"A": "b"})
    third = tester.ended(tester.start(workflow.name, 3).name)
    assert dict(second.labels) == {"team": "b", "tier": "x"}

    def listed(**request: Any) -> list[str]:
        asked = {"parent": workflow.name, **request}
        found = tester.executions.list_executions(request=asked, timeout=5)
        return [one.name for one in found]

    start = moment(second.start_time).rfc3339()
    assert listed(filter=f'startTime>"{start}"') == [third.name]
    assert listed(filter=f'state="SUCCEEDED" AND startTime<="{start}"') == [second.name, first.name]
    assert listed(filter='label.team="b"') == [second.name]
    assert listed(filter=f'workflowRevisionID="{changed.revision_id}"') == [third.name]
    assert listed(filter=f'executionID="{first.name.rpartition("/")[2]}"') == [first.name]
    assert listed(filter='duration>"3600s"') == []
    assert listed(order_by="startTime") == [first.name, second.name, third.name]
    by_revision = listed(order_by="workflowRevisionID desc, startTime", page_size=2)
    assert by_revision == [third.name, first.name, second.name]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"filter": 'colour="red"'}, exceptions.InvalidArgument),
        ({"filter": 'state="DONE"'}, exceptions.InvalidArgument),
        ({"filter": 'startTime>"yesterday"'}, exceptions.InvalidArgument),
        ({"order_by": "colour"}, exceptions.InvalidArgument),
    ],
)
def test_lists_refuse_what_executions_have_not(
    tester: WorkflowTester, request_: dict[str, str], error: type[Exception]
) -> None:
    workflow = tester.deploy("flow", ECHO)
    with pytest.raises(error):
        tester.executions.list_executions(request={"parent": workflow.name, **request_}, timeout=5)


def test_without_an_argument_null_is_read(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO).name
    execution = executions_v1.Execution()
    started = tester.executions.create_execution(parent=workflow, execution=execution, timeout=5)
    ended = tester.ended(started.name)
    assert (ended.argument, ended.result) == ("null", "null")


def test_the_basic_view_has_no_labels(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO, labels={"a": "b"})
    name = tester.ended(tester.start(workflow.name).name).name
    request = {"name": name, "view": executions_v1.ExecutionView.BASIC}
    basic = tester.executions.get_execution(request=request, timeout=5)
    assert (basic.name, basic.state, dict(basic.labels)) == (name, State.SUCCEEDED, {})
    assert basic.workflow_revision_id == workflow.revision_id


def test_arguments_are_json_of_a_limited_size(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO).name
    nested = "[" * 10_000 + "]" * 10_000
    half_a_pair = json.dumps({"input_file": "a\ud800.txt"})
    for argument in ("{", json.dumps("x" * (32 * 1024)), half_a_pair, nested, "[NaN]"):
        execution = executions_v1.Execution(argument=argument)
        with pytest.raises(exceptions.InvalidArgument):
            tester.executions.create_execution(parent=workflow, execution=execution, timeout=5)
    with pytest.raises(exceptions.NotFound):
        tester.start(f"{tester.parent}/workflows/none")


def test_starting_needs_a_role(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO).name
    token = tester.cloud.account_token("trigger")
    client = tester.cloud.client(executions_v1.ExecutionsClient, token)
    with pytest.raises(exceptions.PermissionDenied, match=r"workflows\.executions\.create"):
        client.create_execution(parent=workflow, timeout=5)
    member = f"serviceAccount:trigger@{tester.cloud.project}.iam.gserviceaccount.com"
    project = f"projects/{tester.cloud.project}"
    tester.cloud.kernel.policies.grant(project, "roles/workflows.invoker", member)
    assert client.create_execution(parent=workflow, timeout=5).name


def test_executions_end_with_their_workflow(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", SLEEPS).name
    name = tester.start(workflow, {"seconds": 3600}).name
    tester.workflows.delete_workflow(name=workflow, timeout=5).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        tester.get(name)


def test_a_restart_goes_on_with_what_was_active(
    local_cloud_factory: CloudFactory, tmp_path: Path
) -> None:
    first = WorkflowTester(local_cloud_factory(home=tmp_path / "home"))
    workflow = first.deploy("flow", SLEEPS, user_env_vars={"COLOUR": "blue"}).name
    slow = first.start(workflow, {"seconds": 3600}).name
    quick = first.start(workflow, {"seconds": 0.5}).name
    started = first.get(quick).start_time
    first.wait_for(slow, lambda one: bool(one.status.current_steps))
    first.cloud.stop()
    second = WorkflowTester(local_cloud_factory(home=tmp_path / "home"))
    ended = second.ended(quick)
    assert (ended.state, json.loads(ended.result)) == (State.SUCCEEDED, "blue")
    assert ended.start_time == started
    second.wait_for(slow, lambda one: bool(one.status.current_steps))
    assert second.get(slow).state == State.ACTIVE
    second.executions.cancel_execution(name=slow, timeout=5)


def one_at_a_time(kernel: Kernel, pipeline: Pipeline) -> ExecutionsSurface:
    return ExecutionsSurface(kernel, pipeline, at_once=1)


def test_more_than_may_run_at_once_wait_in_a_queue(local_cloud_factory: CloudFactory) -> None:
    others = [one for one in SERVICES if one is not surface.build]
    tester = WorkflowTester(local_cloud_factory(services=(*others, one_at_a_time)))
    workflow = tester.deploy("flow", SLEEPS).name
    first = tester.start(workflow, {"seconds": 3600})
    tester.wait_for(first.name, lambda one: bool(one.status.current_steps))
    second = tester.start(workflow, {"seconds": 3600})
    assert (first.state, second.state) == (State.ACTIVE, State.QUEUED)
    tester.executions.cancel_execution(name=first.name, timeout=5)
    active = tester.wait_for(second.name, lambda one: one.state == State.ACTIVE)
    assert moment(active.start_time) > moment(second.start_time)
    tester.executions.cancel_execution(name=second.name, timeout=5)


def test_a_reset_forgets_what_runs(tester: WorkflowTester) -> None:
    name = tester.start(tester.deploy("flow", SLEEPS).name, {"seconds": 3600}).name
    tester.wait_for(name, lambda one: bool(one.status.current_steps))
    tester.cloud.cloud.reset()
    again = WorkflowTester(tester.cloud)
    with pytest.raises(exceptions.NotFound):
        again.get(name)
    assert json.loads(again.run(ECHO, 7).result) == 7


def test_a_service_is_called_as_the_account_from_inside(
    tester: WorkflowTester, tmp_path: Path
) -> None:
    run = RunTester(tester.cloud, tmp_path)
    service = run.service(run.image())
    internal = run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    service.ingress = internal  # type: ignore[assignment]  # the clients' enums are untyped
    deployed = run.create("svc", service).result(timeout=30)
    workflow = tester.deploy("flow", CALLS).name
    argument = {"url": f"{deployed.uri}/some/path?c=d"}
    refused = json.loads(tester.ended(tester.start(workflow, argument).name).error.payload)
    assert refused["code"] == 403
    run.grant(deployed, f"serviceAccount:{tester.account}")
    ended = tester.ended(tester.start(workflow, argument).name)
    assert json.loads(ended.result) == {"code": 200, "path": "/some/path?c=d&a=b"}


@pytest.mark.parametrize("host", ["http://192.0.2.1", "http://127.0.0.1:9", "http://evil.test"])
def test_tokens_never_leave_the_local_cloud(tester: WorkflowTester, host: str) -> None:
    ended = tester.run(CALLS, {"url": f"{host}/run/p/r/s"})
    assert json.loads(ended.error.payload)["tags"] == ["AuthError"]


def test_a_disabled_account_cannot_sign_in(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", CALLS).name
    tester.cloud.kernel.identity.update_account(tester.account, disabled=True)
    ended = tester.ended(tester.start(workflow, {"url": f"{tester.cloud.http}/run/p/r/s"}).name)
    assert json.loads(ended.error.payload)["tags"] == ["AuthError"]


def test_cloud_storage_is_the_local_one(tester: WorkflowTester) -> None:
    source = CALLS.replace("OIDC", "OAuth2").replace("query: {a: b}", "query: {fields: name}")
    url = "https://storage.googleapis.com/storage/v1/b/no-such-bucket"
    ended = tester.run(source, {"url": url})
    error = json.loads(ended.error.payload)
    assert error["code"] in {403, 404}
    assert error["tags"] == ["HttpError"]


def test_sys_log_writes_on_the_workflow(tester: WorkflowTester) -> None:
    source = (
        "main:\n  steps:\n    - tell:\n        call: sys.log\n"
        "        args: {text: seen, severity: WARNING}\n"
    )
    project = f"projects/{tester.cloud.project}"
    member = f"serviceAccount:{tester.account}"
    tester.cloud.kernel.policies.grant(project, "roles/logging.logWriter", member)
    ended = tester.run(source)
    (entry,) = tester.cloud.kernel.logs.query(
        tester.cloud.project, resource_type="workflows.googleapis.com/Workflow"
    )
    assert (entry.severity, entry.payload) == ("WARNING", "seen")
    assert entry.resource_labels == {"workflow_id": "flow", "location": tester.region}
    execution_id = ended.name.rpartition("/")[2]
    assert entry.labels == {"workflows.googleapis.com/execution_id": execution_id}


def test_our_own_client_reads_back_to_a_moment_over_many_pages(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", ECHO).name
    names = [tester.start(workflow, number).name for number in range(205)]
    ends = [tester.ended(name) for name in names]
    address = Endpoint(tester.cloud.grpc, tester.cloud.http, tester.cloud.kernel.settings.token)
    api = ExecutionsApi(LocalClients(address, tester.cloud.project), Caller(SystemClock()))
    assert [one.name for one in api.since(workflow, moment(ends[3].start_time))] == names[:2:-1]
    assert {one.name for one in api.ended_since(workflow, moment(ends[3].end_time))} == {
        end.name for end in ends if moment(end.end_time) >= moment(ends[3].end_time)
    }
    assert not list(api.active(workflow))
    assert [one.name for one in api.newest(workflow, 3)] == names[:-4:-1]
    assert not list(api.since(f"{workflow}-none", moment(ends[0].start_time)))
