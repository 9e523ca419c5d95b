"""What `gpupipe test-upload` does: check, send, follow, show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpupipe.commands._interrupt import stopping
from gpupipe.commands._outcomes import Answer, watched
from gpupipe.context import Context, open_context
from gpupipe.core import assets
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.fetch import Fetcher
from gpupipe.deploy.follow import Follower, Outcome, Sent
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.sending import Sender, send, send_and_follow
from gpupipe.deploy.standing import State, standings
from gpupipe.deploy.uploads import Collected, Upload, collect, require_bucket
from gpupipe.render.console import answer, say, talk
from gpupipe.render.files import files_json, print_files, print_sending
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import busy

_SENT = (
    "See the files that were sent with `gpupipe status`. The same command with --retry-failed sends "
    "what is missing."
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """The command line, parsed. out: where results are written, None = nowhere."""

    flags: Flags
    paths: tuple[Path, ...]
    skip: bool
    wait: bool
    timeout_s: float
    out: Path | None
    retry_failed: bool
    output: Output


@dataclass(frozen=True, slots=True)
class _Work:
    """What is sent, what was sent before and is waited for, and how many have their result."""

    uploads: Sequence[Upload]
    on_their_way: Sequence[Sent]
    done_before: int

    @property
    def total(self) -> int:
        return len(self.uploads) + len(self.on_their_way)


def run(request: UploadRequest) -> int:
    """Carry out the request; the exit code."""
    files = collect(request.paths or assets.samples(), skip=request.skip)
    context = open_context(request.flags)
    bucket = context.spec.names.bucket("input")
    require_bucket(context.cloud, bucket, pipelines(context.cloud))
    work = _work(request, context, files)
    print_sending(talk(), bucket, len(work.uploads), files.left_out)
    if request.retry_failed:
        say(talk(), f"{work.done_before:,} have their result, {len(work.on_their_way):,} are on "
                    "their way.")  # fmt: skip
    found = Answer(context.clock, work.total, rows=request.output is Output.JSON)
    try:
        with stopping(context.clock):
            for one in watched(_through(request, context, work), found, context.clock, "sent"):
                found.add(one)
    except KeyboardInterrupt:
        raise InterruptedWaitError(_SENT) from None
    _tell(request, context, files, work, found)
    return Exit.DONE if found.tally.well else Exit.FAILED


def _work(request: UploadRequest, context: Context, files: Collected) -> _Work:
    if not request.retry_failed:
        return _Work(files.uploads, (), 0)
    uploads, on_their_way, done = [], [], 0
    with busy(talk(), "Reading which files have a result"):
        for one in standings(context.cloud, context.spec, files.uploads):
            if one.object is None or one.state is State.FAILED:
                uploads.append(one.upload)
            elif one.state is State.OPEN:
                on_their_way.append(Sent(str(one.upload.path), one.object, 0.0))
            else:
                done += 1
    return _Work(uploads, on_their_way, done)


def _through(request: UploadRequest, context: Context, work: _Work) -> Iterator[Sent | Outcome]:
    cloud, clock, names = context.cloud, context.clock, context.spec.names
    output_bucket = names.bucket("output")
    keep = Fetcher(cloud, output_bucket, request.out).keep if request.out else None
    with (
        Sender(cloud, names.bucket("input"), work.uploads, clock) as sender,
        Follower(cloud, context.spec.workflow_name, output_bucket, keep) as follower,
    ):
        yield from work.on_their_way
        if not request.wait:
            yield from (Outcome(one, "sent") for one in work.on_their_way)
            yield from _only_sent(send(sender, cloud, clock))
            return
        for one in work.on_their_way:
            follower.add(one)
        yield from send_and_follow(sender, follower, cloud, clock, patience_s=request.timeout_s)


def _only_sent(coming: Iterator[Sent | Outcome]) -> Iterator[Sent | Outcome]:
    """To be sent is the outcome of a file that nobody waits for."""
    for one in coming:
        yield one
        if isinstance(one, Sent):
            yield Outcome(one, "sent", seconds={"upload": one.upload_s})


def _tell(
    request: UploadRequest, context: Context, files: Collected, work: _Work, found: Answer
) -> None:
    output_bucket = context.spec.names.bucket("output")
    order = [str(one.path) for one in files.uploads]
    if request.output is Output.JSON:
        document = files_json(output_bucket, found.in_order(order), files.left_out)
        print_json(document | {"done_before": work.done_before, "summary": found.summary()})
    elif found.few:
        print_files(answer(), output_bucket, found.in_order(order))
    else:
        found.print_summary(answer(), output_bucket)
    if request.out:
        say(talk(), f"What came out is in {request.out}")
