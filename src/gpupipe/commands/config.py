"""`gpupipe config`: what is configured and where it came from, and what may be configured."""

import typer

from gpupipe.commands._flags import CONFIGURATION, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See what is configured, and what may be."
)


@app.command("show", short_help="Every option's value, and where it came from.")
@with_flags(CONFIGURATION)
def show(
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show each option's value and whence it came: a flag, a variable, the file, a preset, the default.

    Examples:

    \b
      gpupipe config show
      gpupipe config show --preset high-performance
    """
    from gpupipe.commands._config import show as run

    return run(flags, output)


@app.command("schema", short_help="The JSON Schema of gpupipe.toml.")
def schema() -> int:
    """Print the JSON Schema of gpupipe.toml, for an editor that completes and checks it."""
    from gpupipe.commands._config import schema as run

    return run()
