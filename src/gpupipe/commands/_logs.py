"""What `gpupipe logs` does: select, read, show; and go on as lines come."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import NoReturn

from gpupipe.commands._durations import seconds
from gpupipe.context import Context, open_context
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.deploy.logs import USUAL, Line, Selection, Tail, newest
from gpupipe.render.console import answer, say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.logs import line_json, line_text, logs_json
from gpupipe.render.output import Output

_DOC = "reference/cli.md#logs"
# Cloud Logging lets a project be read 60 times a minute.
_PAUSE_S = 2.0
_LEAST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """The command line, parsed. sources: none for the usual ones; severity: Google's word or ""."""

    flags: Flags
    sources: tuple[str, ...]
    follow: bool
    since: str
    severity: str
    grep: str
    execution: str
    limit: int
    output: Output


def run(request: LogsRequest) -> int:
    """Carry out the request; the exit code. A log that is followed ends by Ctrl-C, with 130."""
    wanted_text, since = _expression(request.grep), timedelta(seconds=seconds(request.since))
    context = open_context(request.flags)
    wanted = Selection(
        sources=request.sources or USUAL,
        since=context.clock.now() - since,
        severity=request.severity,
        execution=_execution(context, request.execution),
    )
    found = newest(context.cloud, context.spec, wanted)
    lines = list(islice(_found(found, wanted_text), request.limit))[::-1]
    if request.follow:
        try:
            _follow(request, context, wanted, wanted_text, lines)
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
    if request.output is Output.JSON:
        print_json(logs_json(lines))
        return Exit.DONE
    for line in lines:
        say(answer(), line_text(line))
    if not lines:
        say(talk(), f"There is no such line of the last {request.since}.")
    return Exit.DONE


def _follow(
    request: LogsRequest,
    context: Context,
    wanted: Selection,
    text: re.Pattern[str],
    lines: list[Line],
) -> NoReturn:
    """Show what there is, and what comes, for ever."""
    tail = Tail(context.cloud, context.spec, wanted)
    for line in lines:
        tail.saw(line)
        _show(request, line)
    pause_s = max(_LEAST_PAUSE_S, _PAUSE_S * context.cloud.caller.hurry)
    while True:
        for line in _found(tail.look(), text):
            _show(request, line)
        context.clock.sleep(pause_s)


def _show(request: LogsRequest, line: Line) -> None:
    if request.output is Output.JSON:
        print_json(line_json(line), one_line=True)
    else:
        say(answer(), line_text(line))
    sys.stdout.flush()


def _found(lines: Iterator[Line], text: re.Pattern[str]) -> Iterator[Line]:
    return (line for line in lines if text.search(line_text(line).plain))


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--grep {text!r} is no regular expression: {error}.",
            resolution="Write a backslash before characters that are meant as they are.",
            doc=_DOC,
        ) from error


def _execution(context: Context, given: str) -> str:
    """The whole id of the execution that is meant."""
    if not given:
        return ""
    found = context.cloud.executions.named(context.spec.workflow_name, given)
    if found is None:
        raise UsageError(
            f"There is no execution {given}.",
            resource=context.spec.workflow_name,
            resolution="See which there are with `gpupipe executions list`.",
            doc=_DOC,
        )
    return found.execution_id
