"""The interpreter's ports in the local cloud: HTTP, the daemon's clock, Cloud Logging."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.http_port import HttpPort
from gpupipe.workflows.effects import Callbacks, Effects

_LOG = "workflows.googleapis.com%2Fexecutions_system"  # gcp-facts §7, UNSURE
_RESOURCE = "workflows.googleapis.com/Workflow"
_WRITE = "logging.logEntries.create"
_LABEL = "workflows.googleapis.com/execution_id"


class ClockPort:
    """The cloud's time, also for pauses."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def now(self) -> float:
        """Seconds since 1970."""
        return self._kernel.clock.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        """Wait without holding a thread."""
        await self._kernel.timers.sleep(seconds)

    async def yield_(self) -> None:
        """Let others run."""
        await asyncio.sleep(0)


class LogPort:
    """Entries of `sys.log`, on the workflow, with the execution as a label.

    They are written by `writer` in their order: the loop does not wait for the database. The
    workflow's account writes them: without its right to do so there are none (gcp-facts §6).
    """

    def __init__(self, kernel: Kernel, workflow: Any, execution_id: str, writer: Executor) -> None:
        self._kernel = kernel
        self._workflow = workflow
        self._execution_id = execution_id
        self._writer = writer

    def write(self, severity: str, payload: Any) -> None:
        """One entry."""
        self.entry(_LOG, severity, payload)

    def entry(self, log: str, severity: str, payload: Any) -> None:
        """One entry of a log."""
        self._writer.submit(self._entry(log, severity, payload))

    def _entry(self, log: str, severity: str, payload: Any) -> Callable[[], object]:
        _, project, _, location, _, workflow_id = self._workflow.name.split("/")
        text = payload if isinstance(payload, str | dict) else json.dumps(payload)
        now, member = self._kernel.clock.now(), f"serviceAccount:{account_of(self._workflow)}"

        def write() -> None:
            if self._kernel.authorizer.allowed(member, _WRITE, f"projects/{project}"):
                self._kernel.logs.write(
                    f"projects/{project}/logs/{log}",
                    _RESOURCE,
                    {"workflow_id": workflow_id, "location": location},
                    severity,
                    text,
                    labels={_LABEL: self._execution_id},
                    timestamp=now,
                )

        return write


@dataclass(frozen=True, slots=True)
class Ports:
    """What the ports of one execution are made of; `workflow` is the revision that it runs."""

    kernel: Kernel
    client: httpx.AsyncClient
    lines: asyncio.Semaphore
    workflow: Any
    execution_id: str
    writer: Executor
    callbacks: Callbacks

    def log(self) -> LogPort:
        """Entries of this execution."""
        return LogPort(self.kernel, self.workflow, self.execution_id, self.writer)

    def effects(self) -> Effects:
        """All ports."""
        http = HttpPort(
            self.kernel,
            self.client,
            self.lines,
            account=account_of(self.workflow),
            project=self.workflow.name.split("/")[1],
        )
        return Effects(
            http, ClockPort(self.kernel), self.log(), self.callbacks, lambda: str(uuid4())
        )


def account_of(workflow: Any) -> str:
    """The address of a workflow's account."""
    return str(workflow.service_account.rpartition("/")[2])


def environment(kernel: Kernel, workflow: Any, execution_id: str) -> dict[str, str]:
    """The built-in variables and the user's own."""
    _, project, _, location, _, workflow_id = workflow.name.split("/")
    return {
        "GOOGLE_CLOUD_PROJECT_ID": project,
        "GOOGLE_CLOUD_PROJECT_NUMBER": str(kernel.projects.ensure(project).number),
        "GOOGLE_CLOUD_LOCATION": location,
        "GOOGLE_CLOUD_WORKFLOW_ID": workflow_id,
        "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": workflow.revision_id,
        "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": execution_id,
        "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ATTEMPT": "1",
        "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": account_of(workflow),
        **dict(workflow.user_env_vars),
    }
