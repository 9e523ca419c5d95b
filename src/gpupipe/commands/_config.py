"""What `gpupipe config` does: show the merged configuration, print the schema."""

import os

from gpupipe.context import read_config
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.core.option_table import schema as schema_of_options
from gpupipe.render.config import config_json, print_config
from gpupipe.render.console import answer
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output


def show(flags: Flags, output: Output) -> int:
    """Every option with its value and source."""
    config = read_config(flags, os.environ)
    if output is Output.JSON:
        print_json(config_json(config))
    else:
        print_config(answer(), config)
    return Exit.DONE


def schema() -> int:
    """The JSON Schema of gpupipe.toml."""
    print_json(schema_of_options())
    return Exit.DONE
