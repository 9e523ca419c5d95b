"""What executions tell of themselves while they run and after: steps, step entries, logs of calls."""

import json
from typing import Any

import pytest
from google.cloud import workflows_v1
from google.cloud.workflows import executions_v1
from tests.support.localcloud import RunningCloud
from tests.support.workflows import WorkflowTester

State = executions_v1.Execution.State
Level = executions_v1.Execution.CallLogLevel
MANY = """
main:
  steps:
    - set: {assign: [{n: 0}]}
    - each:
        for:
          value: v
          in: [1, 2]
          steps:
            - add: {assign: [{n: '${n + v}'}]}
    - ask: {call: child, args: {n: '${n}'}, result: m}
    - hear:
        try: {raise: {why: m}}
        except:
          as: e
          steps:
            - jump: {next: both}
    - both:
        parallel:
          branches:
            - one: {steps: [{a: {call: sys.sleep, args: {seconds: 0}}}]}
            - two: {steps: [{b: {assign: [{x: 1}]}}]}
    - fail: {raise: '${m}'}
child:
  params: [n]
  steps:
    - twice: {return: '${n * 2}'}
"""
WAITS = """
main:
  steps:
    - both:
        parallel:
          branches:
            - one: {steps: [{a: {call: sub}}]}
            - two: {steps: [{b: {call: sys.sleep, args: {seconds: 3600}}}]}
sub:
  steps:
    - deep: {call: sys.sleep, args: {seconds: 3600}}
"""


@pytest.fixture
def tester(local_cloud: RunningCloud) -> WorkflowTester:
    return WorkflowTester(local_cloud)


def entries(tester: WorkflowTester, name: str, **params: Any) -> dict[str, Any]:
    answer = tester.cloud.http_client().get(f"/v1/{name}/stepEntries", params=params)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_each_step_has_an_entry(tester: WorkflowTester) -> None:
    name = tester.once(MANY).name
    found = entries(tester, name)
    assert found["totalSize"] == len(found["stepEntries"])
    shown = [(one["step"], one["stepType"], one["state"]) for one in found["stepEntries"]]
    assert shown[:8] == [
        ("set", "STEP_ASSIGN", "STATE_SUCCEEDED"),
        ("each", "STEP_FOR", "STATE_SUCCEEDED"),
        ("each", "STEP_FOR_ITERATION", "STATE_SUCCEEDED"),
        ("add", "STEP_ASSIGN", "STATE_SUCCEEDED"),
        ("each", "STEP_FOR_ITERATION", "STATE_SUCCEEDED"),
        ("add", "STEP_ASSIGN", "STATE_SUCCEEDED"),
        ("ask", "STEP_SUBWORKFLOW_CALL", "STATE_SUCCEEDED"),
        ("twice", "STEP_RETURN", "STATE_SUCCEEDED"),
    ]
    assert {
        ("hear", "STEP_TRY_RETRY_EXCEPT", "STATE_SUCCEEDED"),
        ("jump", "STEP_GOTO", "STATE_SUCCEEDED"),
        ("both", "STEP_PARALLEL_BRANCH", "STATE_SUCCEEDED"),
        ("both", "STEP_PARALLEL_BRANCH_ENTRY", "STATE_SUCCEEDED"),
        ("a", "STEP_STD_LIB_CALL", "STATE_SUCCEEDED"),
        ("fail", "STEP_RAISE", "STATE_FAILED"),
    } <= set(shown)
    by_id = {one["entryId"]: one for one in found["stepEntries"]}
    assert by_id["5"]["stepEntryMetadata"] == {
        "progressType": "PROGRESS_TYPE_FOR",
        "progressNumber": "1",
    }
    assert by_id["2"]["navigationInfo"]["children"] == ["3", "5"]
    assert by_id["8"]["navigationInfo"]["parent"] == "7"
    assert (by_id["8"]["routine"], by_id["7"]["routine"]) == ("child", "main")
    last = found["stepEntries"][-1]
    assert last["exception"] == {"payload": "6"}
    assert last["createTime"] <= last["updateTime"]
    one = tester.cloud.http_client().get(f"/v1/{last['name']}").raise_for_status().json()
    assert one == last
    status = tester.get(name).status.current_steps
    assert [(step.routine, step.step) for step in status] == [("main", "fail")]


def test_entries_come_in_pages_and_go_with_their_workflow(tester: WorkflowTester) -> None:
    name = tester.once(MANY).name
    first = entries(tester, name, pageSize=4)
    second = entries(tester, name, pageSize=100, pageToken=first["nextPageToken"])
    assert [one["entryId"] for one in first["stepEntries"]] == ["1", "2", "3", "4"]
    assert second["stepEntries"][0]["entryId"] == "5"
    http = tester.cloud.http_client()
    assert http.get(f"/v1/{name}/stepEntries", params={"filter": "x"}).status_code == 501
    assert http.get(f"/v1/{name}/stepEntries/99").status_code == 404
    stranger = tester.cloud.http_client(tester.cloud.account_token("stranger"))
    assert stranger.get(f"/v1/{name}/stepEntries").status_code == 403
    workflow = name.rpartition("/executions/")[0]
    tester.workflows.delete_workflow(name=workflow, timeout=5).result(timeout=5)
    assert http.get(f"/v1/{name}/stepEntries").status_code == 404


def test_a_running_one_shows_all_steps_at_work_and_ends_cancelled(tester: WorkflowTester) -> None:
    workflow = tester.deploy("flow", WAITS).name
    name = tester.start(workflow).name
    running = tester.wait_for(name, lambda one: len(one.status.current_steps) == 2)
    at = {(step.routine, step.step) for step in running.status.current_steps}
    assert at == {("sub", "deep"), ("main", "b")}
    assert {one["state"] for one in entries(tester, name)["stepEntries"]} == {"STATE_IN_PROGRESS"}
    request = {"parent": workflow, "filter": 'stepName="deep"'}
    assert [one.name for one in tester.executions.list_executions(request=request, timeout=5)] == [
        name
    ]
    request["filter"] = 'stepName="no"'
    assert list(tester.executions.list_executions(request=request, timeout=5)) == []
    cancelled = tester.executions.cancel_execution(name=name, timeout=5)
    assert cancelled.state == State.CANCELLED
    assert {step.step for step in cancelled.status.current_steps} == {"deep", "b"}
    assert {one["state"] for one in entries(tester, name)["stepEntries"]} == {"STATE_CANCELLED"}


def test_a_history_of_many_steps(tester: WorkflowTester) -> None:
    steps = """
    - each:
        for: {value: v, range: [1, 700], steps: [{add: {assign: [{n: '${v}'}]}}]}
"""
    name = tester.once(f"main:\n  steps:\n{steps}").name
    assert entries(tester, name)["totalSize"] == 1401


@pytest.mark.promise(97)
@pytest.mark.parametrize(
    ("level", "own", "states"),
    [
        (Level.LOG_NONE, Level.CALL_LOG_LEVEL_UNSPECIFIED, []),
        (Level.LOG_ERRORS_ONLY, Level.CALL_LOG_LEVEL_UNSPECIFIED, ["EXCEPTION_RAISED"]),
        (Level.LOG_ALL_CALLS, Level.LOG_ERRORS_ONLY, ["EXCEPTION_RAISED"]),
        (
            Level.LOG_NONE,
            Level.LOG_ALL_CALLS,
            ["BEGUN", "SUCCEEDED", "BEGUN", "EXCEPTION_RAISED"],
        ),
    ],
)
def test_calls_are_logged(
    tester: WorkflowTester, level: Level, own: Level, states: list[str]
) -> None:
    source = json.dumps(
        [
            {"a": {"call": "text.to_upper", "args": {"source": "x"}, "result": "y"}},
            {"b": {"call": "json.decode", "args": {"data": "{"}}},
        ]
    )
    project = f"projects/{tester.cloud.project}"
    member = f"serviceAccount:{tester.account}"
    tester.cloud.kernel.policies.grant(project, "roles/logging.logWriter", member)
    of_workflow = workflows_v1.Workflow.CallLogLevel(level.value)
    workflow = tester.deploy("flow", source, call_log_level=of_workflow)
    assert workflow.call_log_level == of_workflow
    ended = tester.ended(tester.start(workflow.name, call_log_level=own).name)
    assert ended.call_log_level == (own if own.value else level)
    found = tester.cloud.kernel.logs.query(
        tester.cloud.project, resource_type="workflows.googleapis.com/Workflow"
    )
    payloads: list[Any] = [one.payload for one in sorted(found, key=lambda one: one.timestamp)]
    assert [one["state"] for one in payloads] == states
    if own == Level.LOG_ALL_CALLS:
        assert payloads[0]["begun"]["namedArgs"] == {"source": "x"}
        assert (payloads[1]["callee"], payloads[1]["step"]) == ("text.to_upper", "a")
        assert payloads[1]["succeeded"]["response"] == "X"
        assert payloads[3]["exceptionRaised"]["exception"]["tags"] == ["ValueError"]
