"""Workflow Executions: list, read and start runs of the workflow."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice, takewhile
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import TIMEOUT_S, none_if_missing
from gpupipe.cloud.clients import module
from gpupipe.cloud.errors import ApiError

_PAGE, _BASIC_PAGE = 100, 1000
_ID = 36
# So many of the newest are looked at for one of which only the beginning of its id is known.
_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Frame:
    """A step that an error passed; line and column of the source, from 1."""

    step: str
    routine: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Execution:
    """One run. `argument` and `result` are parsed JSON; `error` is its payload and where it was.

    frames: where the error was, innermost first.
    """

    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    argument: Any
    result: Any
    error: Any
    context: str
    frames: tuple[Frame, ...] = ()

    @property
    def execution_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def active(self) -> bool:
        """True while it has not ended."""
        return self.state in {"ACTIVE", "QUEUED", "STATE_UNSPECIFIED"}

    @property
    def file(self) -> str:
        """The name of the file that it works on, "" where its argument names none."""
        found = self.input()
        return found[1] if found else ""

    def input(self) -> tuple[str, str, str] | None:
        """Bucket, name and generation of the file it works on, or None."""
        argument = self.argument if isinstance(self.argument, Mapping) else {}
        data = argument.get("data")
        if isinstance(data, Mapping) and "name" in data:
            return str(data.get("bucket")), str(data["name"]), str(data.get("generation"))
        if "input_file" in argument:
            return (
                str(argument.get("bucket", "")),
                str(argument["input_file"]),
                str(argument.get("generation", "")),
            )
        return None


class ExecutionsApi(Api):
    """The calls that gpupipe needs of Workflow Executions."""

    def newest(self, workflow: str, count: int, *, state: str = "") -> list[Execution]:
        """The newest executions of a workflow, newest first; none where there is no workflow."""
        view = module("google.cloud.workflows.executions_v1").ExecutionView.FULL
        request: dict[str, Any] = {"parent": workflow, "page_size": min(count, _PAGE), "view": view}
        if state:
            request["filter"] = f'state="{state}"'

        def attempt() -> list[Any]:
            pager = self._client.list_executions(request=request, retry=None, timeout=TIMEOUT_S)
            return list(islice(pager, count))

        found = none_if_missing(lambda: self._call("Listing executions", workflow, attempt))
        return [_execution(one) for one in found or ()]

    def each(self, workflow: str, *, state: str = "") -> Iterator[Execution]:
        """All executions, or those in a state, newest first, a page at a time."""
        return self._each(workflow, f'state="{state}"' if state else "")

    def since(self, workflow: str, moment: datetime) -> Iterator[Execution]:
        """The executions that started at `moment` or later, newest first, a page at a time."""
        return takewhile(
            lambda one: one.started is None or one.started >= moment, self._each(workflow, "")
        )

    def ended_since(self, workflow: str, moment: datetime) -> Iterator[Execution]:
        """The executions that ended at `moment` or later, a page at a time."""
        return self._each(workflow, f'endTime>="{moment.isoformat()}"')

    def active(self, workflow: str) -> Iterator[Execution]:
        """The executions that have not ended, a page at a time."""
        return chain.from_iterable(
            self.each(workflow, state=state) for state in ("ACTIVE", "QUEUED")
        )

    def count(self, workflow: str, state: str, most: int) -> int:
        """How many executions are in a state; `most` where there are more."""
        view = module("google.cloud.workflows.executions_v1").ExecutionView.BASIC
        request = {
            "parent": workflow,
            "page_size": _BASIC_PAGE,
            "view": view,
            "filter": f'state="{state}"',
        }

        def attempt() -> int:
            pager = self._client.list_executions(request=request, retry=None, timeout=TIMEOUT_S)
            return sum(1 for _ in islice(pager, most))

        return none_if_missing(lambda: self._call("Counting executions", workflow, attempt)) or 0

    def _each(self, workflow: str, filter_: str) -> Iterator[Execution]:
        """As many as there are, of which only one page is held; none where there is no workflow."""
        token: str | None = ""
        while token is not None:
            found, token = self._page(workflow, filter_, token)
            yield from found

    def _page(self, workflow: str, filter_: str, token: str) -> tuple[list[Execution], str | None]:
        request = {
            "parent": workflow,
            "page_size": _PAGE,
            "view": module("google.cloud.workflows.executions_v1").ExecutionView.FULL,
            "filter": filter_,
            "page_token": token,
        }
        method = self._client.list_executions
        pager = none_if_missing(
            lambda: self._unary("Listing executions", workflow, method, request)
        )
        if pager is None:
            return [], None
        page = next(iter(pager.pages))
        return [_execution(one) for one in page.executions], page.next_page_token or None

    def get(self, name: str) -> Execution | None:
        """One execution, or None."""
        found = none_if_missing(
            lambda: self._unary(
                "Reading the execution", name, self._client.get_execution, {"name": name}
            )
        )
        return None if found is None else _execution(found)

    def named(self, workflow: str, beginning: str) -> Execution | None:
        """The newest execution whose id is this or begins so, or None."""
        if len(beginning) == _ID:
            return self.get(f"{workflow}/executions/{beginning}")
        some = islice(self._each(workflow, ""), _LOOKED_AT)
        return next((one for one in some if one.execution_id.startswith(beginning)), None)

    def start(self, workflow: str, argument: Any) -> Execution:
        """Start an execution by hand, with an argument that JSON can say."""
        return _execution(
            self._unary(
                "Starting an execution",
                workflow,
                self._client.create_execution,
                {"parent": workflow, "execution": {"argument": json.dumps(argument)}},
                idempotent=False,
            )
        )

    def cancel(self, name: str) -> None:
        """End an execution; one that has ended already is fine."""
        try:
            self._unary(
                "Cancelling the execution", name, self._client.cancel_execution, {"name": name}
            )
        except ApiError as error:
            if error.refusal.code not in {"FAILED_PRECONDITION", "NOT_FOUND"}:
                raise

    @property
    def _client(self) -> Any:
        return self._clients.client("executions")


def _execution(found: Any) -> Execution:
    return Execution(
        name=str(found.name),
        state=str(found.state.name),
        started=found.start_time or None,
        ended=found.end_time or None,
        argument=_json(found.argument),
        result=_json(found.result),
        error=_json(found.error.payload) if found.error else None,
        context=str(found.error.context) if found.error else "",
        frames=tuple(_frames(found.error)) if found.error else (),
    )


def _frames(error: Any) -> Iterator[Frame]:
    for one in error.stack_trace.elements:
        place = one.position
        yield Frame(str(one.step), str(one.routine), int(place.line), int(place.column))


def _json(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
