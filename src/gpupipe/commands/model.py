"""`gpupipe model`: a model of your own, from a folder to the service."""

from pathlib import Path
from typing import Annotated

import typer

from gpupipe.commands._flags import CONFIGURED, PIPELINE, with_flags
from gpupipe.commands._options import NoCanary, OutputAs, Yes
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

app = typer.Typer(no_args_is_help=True, help="Check, push, list and use models of your own.")

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder with manifest.json and the model's files.")
]
Name = Annotated[
    str | None, typer.Option("--name", help="Name of the model [default: the manifest's].")
]
Version = Annotated[
    str | None, typer.Option("--version", help="Its version [default: the manifest's].")
]


@app.command()
def validate(
    folder: Folder, name: Name = None, version: Version = None, output: OutputAs = Output.TEXT
) -> int:
    """Tell whether a model can be served, without any cloud.

    It is what the service itself checks: files and digests, an ONNX graph without data outside
    its file and without operators of others, inputs, output and labels that fit; never a pickle.
    Nothing of the model is run. Exit code 2: it cannot be served, and why.

    Example: gpupipe model validate my-model/
    """
    from gpupipe.commands._model import run_validate

    return run_validate(folder, name, version, output)


@app.command()
@with_flags(PIPELINE)
def push(
    folder: Folder,
    name: Name = None,
    version: Version = None,
    *,
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """Check a model and write it to the models bucket; no service changes.

    A version never changes: what is there is not written over. A push that was cut off goes on
    when it is run again. The manifest may leave out the name, the version and the digests.

    Example: gpupipe model push my-model/ --name reviews --version 3
    """
    from gpupipe.commands._model import PushRequest, run_push

    return run_push(PushRequest(flags, folder, name, version, output))


@app.command("list")
@with_flags(PIPELINE)
def list_(
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show the models that were pushed, and which of them is used.

    Example: gpupipe model list
    """
    from gpupipe.commands._model import ListRequest, run_list

    return run_list(ListRequest(flags, output))


@app.command()
@with_flags(CONFIGURED)
def use(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="A model that was pushed, the newest version if none is given; or `default`.",
        ),
    ],
    *,
    flags: Flags,
    yes: Yes = False,
    no_canary: NoCanary = False,
    output: OutputAs = Output.TEXT,
) -> int:
    """Write a model into gpupipe.toml, then deploy: a new revision, proved by a canary file.

    The file keeps its comments. Results name the model, its version and its digest.

    Examples:

    \b
      gpupipe model use reviews      the version that was pushed last
      gpupipe model use reviews@2
      gpupipe model use default      the model inside the image
    """
    from gpupipe.commands._model import UseRequest, run_use

    return run_use(UseRequest(flags, model, yes, not no_canary, output))
