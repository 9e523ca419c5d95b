"""Options that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

from gpupipe.render.output import Output

Local = Annotated[
    bool, typer.Option("--local", help="Use the local cloud, whatever is configured.")
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project", "-p", help="Google Cloud project; with --local, one of the local cloud."
    ),
]
Region = Annotated[
    str | None, typer.Option("--region", "-r", help="Region [default: us-central1].")
]
PREFIX_HELP = "Prefix of every resource's name [default: ml-pipeline]."
Prefix = Annotated[str | None, typer.Option("--prefix", help=PREFIX_HELP)]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration file, also gs://BUCKET/NAME [default: gpupipe.toml in this folder].",
    ),
]


def _presets(incomplete: str) -> list[str]:
    from gpupipe.core.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


PRESET_HELP = "Other defaults: high-performance, cost-optimized, development or cpu-only."
Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help=PRESET_HELP, autocompletion=_presets),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="OPTION=VALUE", help="Any option of gpupipe.toml, as often as needed."
    ),
]
OutputAs = Annotated[
    Output, typer.Option("--output", "-o", help="How the answer is written on stdout.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the question.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Show what would be done; write nothing.")
]
ExitCode = Annotated[
    bool,
    typer.Option("--exit-code", help="With a dry run: exit 3 when there is anything to do."),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Send the canary file even when nothing changed.")
]
AllowReplace = Annotated[
    bool,
    typer.Option(
        "--allow-replace", help="Delete and make anew what cannot be changed where it is."
    ),
]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt", help="Take over what has a name of this pipeline and belongs to no pipeline."
    ),
]
NoRollback = Annotated[
    bool,
    typer.Option(
        "--no-rollback",
        help="Leave the traffic with a new revision that fails; try one again that was rejected.",
    ),
]
NoCanary = Annotated[
    bool, typer.Option("--no-canary", help="Do not send a canary file at the end.")
]
SkipPreflight = Annotated[
    bool, typer.Option("--skip-preflight", help="Deploy without the checks of `gpupipe doctor`.")
]
Parallelism = Annotated[
    int, typer.Option("--parallelism", min=1, max=32, help="Steps that run at once.")
]
Impersonate = Annotated[
    str | None,
    typer.Option(
        "--impersonate-service-account", metavar="EMAIL", help="Work as this service account."
    ),
]
