"""The cases of the corpus once more, deployed and executed through the official clients."""

import json
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.workflows import executions_v1
from tests.corpus.test_corpus import all_cases, compare_payload, source_of
from tests.support.localcloud import RunningCloud
from tests.support.workflows import WorkflowTester

State = executions_v1.Execution.State
# What only hand-written ports show or do: time that does not pass, answers, calls.
_PORTS = ("answers", "sees", "env")
_WAITS = ("sys.", "uuid.", "events.")


def _for_the_wire(case: dict[str, Any]) -> bool:
    told = json.dumps(case)
    return not any(key in case for key in _PORTS) and not any(word in told for word in _WAITS)


@pytest.fixture(scope="module")
def tester(module_cloud: RunningCloud) -> WorkflowTester:
    return WorkflowTester(module_cloud)


@pytest.mark.long
@pytest.mark.parametrize("case", [one for one in all_cases() if _for_the_wire(one.values[0])])
def test_case(tester: WorkflowTester, case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(exceptions.InvalidArgument):
            tester.once(source_of(case))
        return
    ended = tester.once(source_of(case), case.get("argument"))
    if "value" in case:
        assert ended.state == State.SUCCEEDED, ended.error
        assert json.loads(ended.result) == case["value"]
    else:
        assert ended.state == State.FAILED, ended.result
        compare_payload(json.loads(ended.error.payload), case["error"])
