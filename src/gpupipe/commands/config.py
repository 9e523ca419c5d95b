"""`gpupipe config`: what is configured and where it came from, and what may be configured."""

import typer

from gpupipe.commands._options import (
    ConfigFile,
    Local,
    OutputAs,
    Prefix,
    Preset,
    Project,
    Region,
    Settings,
)
from gpupipe.render.output import Output

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See what is configured, and what may be."
)


@app.command("show", short_help="Every option's value, and where it came from.")
def show(
    local: Local = False,
    project: Project = None,
    region: Region = None,
    prefix: Prefix = None,
    preset: Preset = None,
    settings: Settings = None,
    config: ConfigFile = None,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show each option's value and whence it came: a flag, a variable, the file, a preset, the default.

    Examples:

    \b
      gpupipe config show
      gpupipe config show --preset high-performance
    """
    from gpupipe.commands._config import show as run
    from gpupipe.core.config import Flags

    flags = Flags(
        local=local,
        project=project,
        region=region,
        prefix=prefix,
        preset=preset,
        settings=tuple(settings or ()),
        config=config,
    )
    return run(flags, output)


@app.command("schema", short_help="The JSON Schema of gpupipe.toml.")
def schema() -> int:
    """Print the JSON Schema of gpupipe.toml, for an editor that completes and checks it."""
    from gpupipe.commands._config import schema as run

    return run()
