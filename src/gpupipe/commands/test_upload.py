"""`gpupipe test-upload`: send files and follow each to its result."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(PIPELINE)
def test_upload(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|DIR", help="Files, or folders of files [default: samples]."),
    ] = None,
    *,
    flags: Flags,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out files that cannot be sent; send the rest.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="Follow each file to its result, or end when all are sent."
        ),
    ] = True,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1, metavar="SECONDS", help="Stop waiting when so long no result comes."
        ),
    ] = 600.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write what comes out to files below this folder."
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Send only what failed before or was never sent; wait for the rest.",
        ),
    ] = False,
    output: OutputAs = Output.TEXT,
) -> int:
    """Send files through the pipeline and show each result and where the time went.

    A folder is sent with all below it, but for links and what begins with a dot; its files
    keep their path from the folder's name on. One file that cannot be sent (empty, not
    readable, of another kind than .txt .md .json .jsonl .csv .jpg .jpeg .png, or with an
    object name that begins with _) stops all, before anything is sent, with exit code 2;
    --skip leaves such files out. Exit code 1: a file failed, or had no result in time.

    Up to 25 files get a row each; of more there is a summary, and on the way the speed and the
    time that is left. With --out the result of mails/a.txt is DIR/mails/a.txt.json, its
    error DIR/mails/a.txt.error.json.

    Examples:

    \b
      gpupipe test-upload                    the packaged samples
      gpupipe test-upload review.txt mails/  a file, and a folder
      gpupipe test-upload --skip mails/      what can be sent of a folder
      gpupipe test-upload --no-wait big/     send, and do not wait
      gpupipe test-upload mails/ --out got/  with the results as files
      gpupipe test-upload mails/ --retry-failed
    """
    from gpupipe.commands._test_upload import UploadRequest, run

    request = UploadRequest(
        flags,
        tuple(paths or ()),
        skip=skip,
        wait=wait,
        timeout_s=timeout,
        out=out,
        retry_failed=retry_failed,
        output=output,
    )
    return run(request)
