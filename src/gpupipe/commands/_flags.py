"""Options that say which pipeline a command is about; the command gets them as its parameter `flags`.

    @with_flags(PIPELINE)
    def history(*, flags: Flags, output: OutputAs = Output.TEXT) -> int: ...

has --local, --project and so on in the place of `flags`, the same in every command.
"""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any

from gpupipe.commands._options import (
    ConfigFile,
    Impersonate,
    Local,
    Prefix,
    Preset,
    Project,
    Region,
    Settings,
)
from gpupipe.core.flags import Flags

Command = Callable[..., int]
_Options = dict[str, tuple[object, object]]

_PLACE: _Options = {
    "local": (Local, False),
    "project": (Project, None),
    "region": (Region, None),
    "prefix": (Prefix, None),
}
_FILE: _Options = {"config": (ConfigFile, None)}
_IDENTITY: _Options = {"impersonate_service_account": (Impersonate, None)}
# Typer gives a list for an option that may be repeated.
_VALUES: _Options = {"preset": (Preset, None), "settings": (Settings, None)}

PIPELINE = _PLACE | _FILE | _IDENTITY
"""For commands about a pipeline that is there."""
CONFIGURATION = _PLACE | _VALUES | _FILE
"""For commands that read a configuration and no cloud."""
CONFIGURED = CONFIGURATION | _IDENTITY
"""For commands about a pipeline as it is configured."""


def with_flags(options: _Options) -> Callable[[Command], Command]:
    """Gives a command these options, each named like a field of Flags, in the place of `flags`."""

    def give(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> int:
            said = {name: given.pop(name) for name in options}
            if "settings" in said:
                said["settings"] = tuple(said["settings"] or ())
            return command(flags=Flags(**said), **given)

        own = signature(command)
        parameters: list[Parameter] = []
        for one in own.parameters.values():
            if one.name == "flags":
                parameters += (
                    Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
                    for name, (kind, default) in options.items()
                )
            else:
                parameters.append(one.replace(kind=Parameter.KEYWORD_ONLY))
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return give
