"""What `gpupipe workflow run` does: deploy a file to the local cloud, run it once, take it away."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from gpupipe.cloud.executions import Execution
from gpupipe.cloud.workflows import Workflow
from gpupipe.commands._workflow import read_source, run_validate
from gpupipe.context import Context, local_home, open_context
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.localcloud import daemon
from gpupipe.render.console import say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.source_marks import marked
from gpupipe.workflows.errors import SourceError
from gpupipe.workflows.program import load

_SCHEMA = "gpupipe.workflow-run/1"
_DOC = "reference/workflows.md"
_APIS = frozenset(
    f"{api}.googleapis.com"
    for api in ("workflows", "workflowexecutions", "iam", "cloudresourcemanager", "logging")
)
_ACCOUNT = "workflow-run"
_LOOK_S = 0.1
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The command line, parsed; `data` is JSON text, `variables` are NAME=VALUE."""

    flags: Flags
    file: Path
    data: str
    variables: tuple[str, ...]
    account: str
    output: Output


def run_workflow(request: RunRequest) -> int:
    """Run a file; exit code 1 where it fails, 2 where it has faults."""
    source = read_source(request.file)
    argument, variables = _argument(request.data), dict(map(_variable, request.variables))
    try:
        load(source)
    except SourceError:
        return run_validate(request.file, request.output)
    context = open_context(request.flags)
    _prepare(context)
    account = request.account or _own_account(context)
    with _deployed(context, source, account, variables) as workflow:
        execution, steps = _followed(context, context.cloud.executions.start(workflow, argument))
    if request.output is Output.JSON:
        print_json(_document(request.file, execution, steps))
    elif execution.state == "SUCCEEDED":
        print(json.dumps(execution.result, ensure_ascii=False, indent=2))
    else:
        raise _failure(request.file, source, execution)
    return Exit.DONE if execution.state == "SUCCEEDED" else Exit.FAILED


def _argument(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--data is not JSON: {error}",
            resolution='Give one JSON value, such as --data \'{"name": "a.txt"}\'.',
            doc=_DOC,
        ) from error


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(
            f"--env {text!r} is not NAME=VALUE.", resolution="Write --env NAME=VALUE.", doc=_DOC
        )
    return name, value


def _prepare(context: Context) -> None:
    """What a project needs before it can have a workflow."""
    project, usage = context.target.project, context.cloud.service_usage
    if missing := _APIS - usage.enabled(project):
        usage.enable(project, missing)
        usage.make_agent(project, "workflows.googleapis.com")


def _own_account(context: Context) -> str:
    """The account that runs files: it may write logs, and nothing else unless you grant it."""
    project, cloud = context.target.project, context.cloud
    email = f"{_ACCOUNT}@{project}.iam.gserviceaccount.com"
    if cloud.iam.get(project, email) is None:
        cloud.iam.create(project, _ACCOUNT, "workflow run", "Runs files of gpupipe workflow run.")
    grant = ("roles/logging.logWriter", f"serviceAccount:{email}")
    if grant not in cloud.projects.bindings(project):
        cloud.projects.edit_bindings(project, add=[grant])
    return email


@contextmanager
def _deployed(
    context: Context, source: str, account: str, variables: Mapping[str, str]
) -> Iterator[str]:
    """A workflow of the source, which goes with its executions."""
    parent = f"projects/{context.target.project}/locations/{context.config.region}"
    name = f"{parent}/workflows/run-{uuid4().hex[:12]}"
    wanted = Workflow(name, source, account, variables, {}, "gpupipe workflow run")
    context.cloud.workflows.create(wanted)
    try:
        yield name
    finally:
        context.cloud.workflows.delete(name)


def _followed(context: Context, execution: Execution) -> tuple[Execution, list[Step]]:
    """The execution once it has ended, and its steps; each is shown when it has begun."""
    steps, console = _Steps(execution.name), talk()
    while True:
        found = context.cloud.executions.get(execution.name) or execution
        for step in steps.new():
            say(console, f"{step['routine']}: {step['step']}", style="dim")
        if not found.active:
            return found, steps.all()
        context.clock.sleep(_LOOK_S)


class _Steps:
    """The steps of an execution, page by page; iterations and branches are parts of theirs."""

    def __init__(self, execution: str) -> None:
        self._path = f"/v1/{execution}/stepEntries"
        self._info = daemon.ensure_running(local_home())
        self._token = ""
        self._seen = 0

    def new(self) -> list[Step]:
        """Those that have begun since."""
        found: list[Step] = []
        while True:
            page = self._page(self._token)
            found += [one for one in page["stepEntries"] if int(one["entryId"]) > self._seen]
            if "nextPageToken" not in page:
                break
            self._token = page["nextPageToken"]
        self._seen = int(found[-1]["entryId"]) if found else self._seen
        return list(filter(_is_step, found))

    def all(self) -> list[Step]:
        """All of them, as they are now."""
        found, token = [], ""
        while True:
            page = self._page(token)
            found += page["stepEntries"]
            if not (token := page.get("nextPageToken", "")):
                return list(filter(_is_step, found))

    def _page(self, token: str) -> dict[str, Any]:
        query = {"pageSize": 100, **({"pageToken": token} if token else {})}
        page = daemon.call(self._info, "GET", f"{self._path}?{urlencode(query)}")
        return {"stepEntries": [], **page}


def _is_step(entry: Step) -> bool:
    return "stepEntryMetadata" not in entry


def _document(file: Path, execution: Execution, steps: list[Step]) -> dict[str, Any]:
    shown = ("routine", "step", "stepType", "state", "createTime", "updateTime")
    listed = [{name: step[name] for name in shown} for step in steps]
    error = None
    if execution.state != "SUCCEEDED":
        frames = [
            {"step": one.step, "routine": one.routine, "line": one.line, "column": one.column}
            for one in execution.frames
        ]
        error = {"payload": execution.error, "context": execution.context, "stack": frames}
    return {
        "schema": _SCHEMA,
        "file": str(file),
        "state": execution.state,
        "result": execution.result,
        "error": error,
        "steps": listed,
    }


def _failure(file: Path, source: str, execution: Execution) -> GpupipeError:
    """The error of an execution under the line of its source."""
    told = execution.context.splitlines() or [f"The execution is {execution.state}."]
    place, details = str(file), []
    if execution.frames:
        first = execution.frames[0]
        place = f"{file}:{first.line}:{first.column}"
        details += marked(source.splitlines(), first.line, first.column)
    details += told[1:]
    return GpupipeError(
        told[0],
        resource=place,
        details="\n".join(details),
        resolution="Correct the workflow or its argument, then run it again.",
        doc=_DOC,
    )
