"""What `gpupipe test-upload` does: check, send, follow, show."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gpupipe.commands._interrupt import stopping
from gpupipe.context import Context, open_context
from gpupipe.core import assets
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.config import Flags
from gpupipe.core.errors import Exit
from gpupipe.deploy.follow import Outcome, Sent, follow
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.uploads import collect, require_bucket, send
from gpupipe.render.console import answer, say, talk
from gpupipe.render.files import files_json, print_files, print_sending
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

_SENT = (
    "See the files that were sent with `gpupipe status`; the same command would send them again."
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """The command line, parsed."""

    flags: Flags
    paths: tuple[Path, ...]
    skip: bool
    wait: bool
    timeout_s: float
    output: Output


def run(request: UploadRequest) -> int:
    """Carry out the request; the exit code."""
    files = collect(request.paths or assets.samples(), skip=request.skip)
    context = open_context(request.flags)
    names = context.spec.names
    bucket = names.bucket("input")
    require_bucket(context.cloud, bucket, pipelines(context.cloud))
    print_sending(talk(), bucket, files)
    try:
        with stopping(context.clock):
            sent = send(context.cloud, bucket, files.uploads, context.clock)
            outcomes = _outcomes(request, context, sent)
    except KeyboardInterrupt:
        raise InterruptedWaitError(_SENT) from None
    output_bucket = names.bucket("output")
    if request.output is Output.JSON:
        print_json(files_json(output_bucket, outcomes, files.left_out))
    else:
        print_files(answer(), output_bucket, outcomes)
    good = {"succeeded", "superseded", "sent"}
    return Exit.DONE if all(one.state in good for one in outcomes) else Exit.FAILED


def _outcomes(request: UploadRequest, context: Context, sent: list[Sent]) -> list[Outcome]:
    if not request.wait:
        return [Outcome(one, "sent", seconds={"upload": one.upload_s}) for one in sent]
    coming = follow(
        context.cloud,
        context.spec.workflow_name,
        context.spec.names.bucket("output"),
        sent,
        clock=context.clock,
        timeout_s=request.timeout_s,
    )
    by_path = {outcome.sent.path: outcome for outcome in _told(coming, len(sent))}
    return [by_path[one.path] for one in sent]


def _told(coming: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    console = talk()
    for number, outcome in enumerate(coming, 1):
        say(console, f"{number} of {total}: {outcome.sent.path} {outcome.state}")
        yield outcome
