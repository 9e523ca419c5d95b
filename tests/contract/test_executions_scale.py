"""Many executions at once: none holds a thread, none holds up the others."""

import json
import threading
from typing import Any

import pytest
from google.cloud.workflows import executions_v1
from tests.support.localcloud import RunningCloud
from tests.support.workflows import WorkflowTester, moment

State = executions_v1.Execution.State
BRANCHES = 20
# Threads of the listeners and of SQLite come with the first calls, whatever is executed.
MORE_THREADS = 45
WIDE = f"""
main:
  steps:
    - init: {{assign: [{{sum: 0}}]}}
    - wide:
        parallel:
          shared: [sum]
          for:
            value: n
            range: [1, {BRANCHES}]
            steps:
              - pause: {{call: sys.sleep, args: {{seconds: 86400}}}}
              - add: {{assign: [{{sum: '${{sum + n}}'}}]}}
    - done: {{return: '${{sum}}'}}
"""
RUNAWAY = '[{"a": {"assign": [{"n": 1}]}}, {"b": {"next": "a"}}]'
QUICK = '[{"a": {"return": 1}}]'


@pytest.fixture
def tester(local_cloud: RunningCloud) -> WorkflowTester:
    return WorkflowTester(local_cloud)


def names(tester: WorkflowTester, workflow: str, state: str) -> list[str]:
    request: dict[str, Any] = {
        "parent": workflow,
        "filter": f'state="{state}"',
        "page_size": 1000,
    }
    return [one.name for one in tester.executions.list_executions(request=request, timeout=60)]


def pausing(tester: WorkflowTester, name: str) -> int:
    """How many branches are at work in the step that waits."""
    entries = tester.cloud.http_client().get(f"/v1/{name}/stepEntries").json()["stepEntries"]
    return sum((one["step"], one["state"]) == ("pause", "STATE_IN_PROGRESS") for one in entries)


def all_at_once(tester: WorkflowTester, count: int) -> None:
    workflow = tester.deploy("wide", WIDE).name
    before = threading.active_count()
    started = [tester.start(workflow).name for _ in range(count)]
    for name in started:
        tester.wait_for(name, lambda one: bool(one.status.current_steps))
    assert len(names(tester, workflow, "ACTIVE")) == count
    assert threading.active_count() - before < MORE_THREADS
    tester.wait_for(started[0], lambda _: pausing(tester, started[0]) == BRANCHES)
    tester.cloud.kernel.clock.advance(86_400)
    results = {json.loads(tester.ended(name).result) for name in started}
    assert results == {BRANCHES * (BRANCHES + 1) // 2}


def test_a_hundred_executions_with_branches_wait_without_threads(tester: WorkflowTester) -> None:
    all_at_once(tester, 100)


@pytest.mark.long
def test_a_thousand_executions_with_branches_wait_without_threads(tester: WorkflowTester) -> None:
    all_at_once(tester, 1000)


def test_a_runaway_loop_is_stopped_and_holds_nobody_up(tester: WorkflowTester) -> None:
    runaway = tester.start(tester.deploy("runaway", RUNAWAY).name).name
    quick = tester.deploy("quick", QUICK).name
    ends = [tester.ended(tester.start(quick).name) for _ in range(5)]
    stopped = tester.ended(runaway)
    error = json.loads(stopped.error.payload)
    assert error["tags"] == ["ResourceLimitError"]
    assert "100000 steps" in error["message"]
    first = min(moment(one.end_time) for one in ends)
    assert first < moment(stopped.end_time)
