"""What `gpupipe validate` does: each verdict as it is reached, and the whole at the end."""

from dataclasses import dataclass

from rich.text import Text

from gpupipe.commands._durations import seconds
from gpupipe.commands._interrupt import stopping
from gpupipe.context import open_context
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.uploads import require_bucket
from gpupipe.deploy.validation import FAILED, NOT_MEASURED, PASSED, Validation, Verdict
from gpupipe.render.console import answer, say
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

_STYLES = {PASSED: "green", FAILED: "bold red", NOT_MEASURED: "yellow"}


@dataclass(frozen=True, slots=True)
class ValidateRequest:
    """The command line, parsed."""

    flags: Flags
    load: int
    settle: str
    output: Output


def run(request: ValidateRequest) -> int:
    """Carry out the request; the exit code."""
    settle_s = seconds(request.settle)
    context = open_context(request.flags)
    bucket = context.spec.names.bucket("input")
    require_bucket(context.cloud, bucket, pipelines(context.cloud))
    work = Validation(context.cloud, context.spec, context.clock, request.load, settle_s)
    verdicts: list[Verdict] = []
    try:
        with stopping(context.clock):
            for one in work.run():
                verdicts.append(one)
                _show(request, one)
    except KeyboardInterrupt:
        raise InterruptedWaitError from None
    passed = all(one.verdict != FAILED for one in verdicts)
    if request.output is Output.JSON:
        rows = [
            {"name": one.name, "verdict": one.verdict, "detail": one.detail} for one in verdicts
        ]
        print_json({"schema": "gpupipe.validate/1", "passed": passed, "verdicts": rows})
    return Exit.DONE if passed else Exit.DIFFERENCES


def _show(request: ValidateRequest, one: Verdict) -> None:
    if request.output is Output.TEXT:
        line = Text(f"{one.verdict:<14}", _STYLES[one.verdict])
        say(answer(), line.append(f"{one.name:<26}{one.detail}", ""))
