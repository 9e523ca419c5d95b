"""The steps of an execution. Workflow Executions has no library for them: plain REST."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api, json_of
from gpupipe.cloud.call import TIMEOUT_S

_PAGE = 100


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step that has begun. parent: the number of the step that it is a part of, 0 for none.

    kind and state in Google's words; ended: when it changed last; error: the parsed payload of
    what it raised, or None; iteration: whether it is a turn of a loop or a branch.
    """

    number: int
    parent: int
    routine: str
    step: str
    kind: str
    state: str
    began: datetime
    ended: datetime
    error: Any = None
    iteration: bool = False

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self.ended - self.began).total_seconds()


class StepEntriesApi(Api):
    """The one call that gpupipe needs."""

    def of(self, execution: str) -> Iterator[StepEntry]:
        """The steps of an execution in the order in which they began, a page at a time."""
        session, base = self._clients.session("workflowexecutions")
        url = f"{base}/v1/{execution}/stepEntries"
        query: dict[str, Any] = {"pageSize": _PAGE}

        def attempt() -> Any:
            return json_of(session.get(url, params=query, timeout=TIMEOUT_S))

        more = True
        while more:
            page = self._call("Reading the steps", execution, attempt)
            yield from map(_entry, page.get("stepEntries", ()))
            query["pageToken"] = page.get("nextPageToken", "")
            more = bool(query["pageToken"])


def _entry(found: Mapping[str, Any]) -> StepEntry:
    began = datetime.fromisoformat(found["createTime"])
    return StepEntry(
        number=int(found["entryId"]),
        parent=int(found.get("navigationInfo", {}).get("parent", 0)),
        routine=str(found.get("routine", "")),
        step=str(found.get("step", "")),
        kind=str(found.get("stepType", "")),
        state=str(found.get("state", "")),
        began=began,
        ended=datetime.fromisoformat(found.get("updateTime", found["createTime"])),
        error=_payload(found.get("exception", {}).get("payload")),
        iteration="stepEntryMetadata" in found,
    )


def _payload(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
