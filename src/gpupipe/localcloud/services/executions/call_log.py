"""What is logged of call steps, by the call log level of an execution or of its workflow.

Log, types and fields are own knowledge of google.cloud.workflows.type.EngineCallLog.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.core.clock import Clock
from gpupipe.localcloud.services.executions.ports import LogPort
from gpupipe.workflows.errors import WorkflowError

_LOG = "workflows.googleapis.com%2Fengine_call"
_TYPE = "type.googleapis.com/google.cloud.workflows.type.EngineCallLog"
_ALL = int(pb.Execution.CallLogLevel.LOG_ALL_CALLS)
_ERRORS = int(pb.Execution.CallLogLevel.LOG_ERRORS_ONLY)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that has begun."""

    step: str
    callee: str
    began: str


class CallLog:
    """Writes the entries of one execution."""

    def __init__(self, level: int, log: LogPort, execution_id: str, clock: Clock) -> None:
        self._all = level == _ALL
        self._errors = level in {_ALL, _ERRORS}
        self._log = log
        self._execution_id = execution_id
        self._clock = clock

    def calling(self, step: str, function: str, arguments: Mapping[str, Any], /) -> object:
        """A call begins."""
        if not self._errors:
            return None
        call = Called(step, function, self._now())
        if self._all:
            self._write(call, "BEGUN", {"begun": {"namedArgs": _plain(arguments)}})
        return call

    def called(self, call: Any, result: Any, error: WorkflowError | None, /) -> None:
        """Its outcome."""
        if call is None:
            return
        began = {"callStartTime": call.began}
        if error is not None and self._errors:
            told = {**began, "exception": _plain(error.value)}
            self._write(call, "EXCEPTION_RAISED", {"exceptionRaised": told})
        elif error is None and self._all:
            told = {**began, "response": _plain(result)}
            self._write(call, "SUCCEEDED", {"succeeded": told})

    def _write(self, call: Called, state: str, details: dict[str, Any]) -> None:
        severity = "ERROR" if state == "EXCEPTION_RAISED" else "INFO"
        payload = {
            "@type": _TYPE,
            "executionId": self._execution_id,
            "activityTime": self._now(),
            "state": state,
            "step": call.step,
            "callee": call.callee,
            **details,
        }
        self._log.entry(_LOG, severity, payload)

    def _now(self) -> str:
        return self._clock.now().isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    """A value that is JSON for sure."""
    try:
        return json.loads(json.dumps(value, default=str))
    except (RecursionError, ValueError):
        return "the value is no JSON"
