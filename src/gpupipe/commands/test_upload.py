"""`gpupipe test-upload`: send files and follow each to its result."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._options import (
    ConfigFile,
    Impersonate,
    Local,
    OutputAs,
    Prefix,
    Project,
    Region,
)
from gpupipe.render.output import Output


def test_upload(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE|DIR ...]", help="Files, or folders of files [default: samples]."
        ),
    ] = None,
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    config: ConfigFile = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow each file to its result.")
    ] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="Wait at most this long.")
    ] = 600.0,
    impersonate_service_account: Impersonate = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Send files through the pipeline and show each result and where the time went.

    Examples:

      gpupipe test-upload                 the packaged samples

      gpupipe test-upload review.txt mails/

      gpupipe test-upload --no-wait big/  send, and do not wait
    """
    from gpupipe.commands._test_upload import UploadRequest, run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        config=config,
        impersonate_service_account=impersonate_service_account,
    )
    return run(
        UploadRequest(flags, tuple(paths or ()), wait=wait, timeout_s=timeout, output=output)
    )
