"""The configuration: flag over environment over gpupipe.toml over preset over default.

Each value is kept with its source. Everything that is wrong is told at once, each with the file and
line, the variable or the flag that says it, the value, and what is allowed there.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpupipe.core.bucket_options import GIVEN_BUCKETS
from gpupipe.core.config_faults import told
from gpupipe.core.errors import UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.names import Names
from gpupipe.core.option_table import options, typed
from gpupipe.core.options import Options
from gpupipe.core.presets import PRESETS
from gpupipe.core.suggest import suggestion

FILE = "gpupipe.toml"
URL = "gs://"
DEFAULT = "default"
"""The source of a value that nobody set."""
# Variables of ours that are no options.
_NOT_OPTIONS = frozenset({"GPUPIPE_HOME", "GPUPIPE_BUILD_CACHE", "GPUPIPE_GPUS", "GPUPIPE_PRICES"})
_BEGINNING = "GPUPIPE_"
# The recipe's variables that mean nothing any more.
_IDLE = {"ZONE": "every service that is used is regional, so a zone is not needed"}


@dataclass(frozen=True, slots=True)
class Config:
    """The merged configuration.

    sources: where a value came from ("flag", "PROJECT_ID", "gpupipe.toml", "preset …"), by path of
    the option; a path that is missing has its default. folder: where relative paths of the file begin.
    notices: what a person should know of it.
    """

    options: Options
    sources: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    notices: tuple[str, ...] = ()

    @property
    def target(self) -> str | None:
        """The configured target."""
        return self.options.target

    @property
    def project(self) -> str | None:
        """The configured project."""
        return self.options.project

    @property
    def region(self) -> str:
        """The region."""
        return self.options.region

    @property
    def prefix(self) -> str:
        """The prefix."""
        return self.options.prefix

    def source(self, path: str) -> str:
        """Where an option's value came from."""
        return self.sources.get(path, DEFAULT)

    def is_set(self, path: str) -> bool:
        """Whether a person set the option: neither its default nor a preset's value."""
        return path in self.sources and not self.sources[path].startswith("preset ")

    def value(self, path: str) -> object:
        """An option's value by its path."""
        found: object = self.options
        for part in path.split("."):
            found = getattr(found, part)
        return found

    def names(self, project: str) -> Names:
        """The names of the pipeline in a project, with the buckets that the user names."""
        buckets = self.options.buckets
        given = {role: getattr(buckets, role).name for role in GIVEN_BUCKETS}
        own = {role: name for role, name in given.items() if name}
        return Names(project, self.region, self.prefix, own)


@dataclass(slots=True)
class _Merged:
    """Values by path, each with its source; a later one wins over an earlier."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, value: Any, source: str, place: str = "") -> None:
        self.values[path], self.sources[path] = value, source
        self.places[path] = place or source

    def tree(self) -> dict[str, Any]:
        """The values as the tables of a file."""
        root: dict[str, Any] = {}
        for path, value in self.values.items():
            *tables, name = path.split(".")
            table = root
            for part in tables:
                table = table.setdefault(part, {})
                if not isinstance(table, dict):
                    break  # what stands in a table's place is refused for itself
            else:
                table[name] = value
        return root


def load(flags: Flags, environment: Mapping[str, str], folder: Path) -> Config:
    """The configuration of a command that runs in `folder`. UsageError where it is wrong."""
    path = Path(flags.config or folder / FILE)
    if flags.config is not None and not path.is_file():
        raise UsageError(
            f"There is no configuration file {path}.",
            resolution="Give an existing file with --config.",
        )
    text = _text(path) if path.is_file() else ""
    return load_text(text, path, flags, environment)


def load_text(text: str, path: Path, flags: Flags, environment: Mapping[str, str]) -> Config:
    """The configuration with this text of a file; `path` is what it is called and where it lies."""
    content = parsed(text, path)
    merged = _Merged()
    for name, value in _flat(content):
        merged.put(name, value, path.name)
    _put_environment(merged, environment, local=flags.local)
    _put_flags(merged, flags)
    _put_preset(merged)
    try:
        found = Options.model_validate(merged.tree())
    except ValidationError as error:
        raise _not_valid(told(error, merged.places, text, path)) from error
    idle = [f"{name} has no effect: {why}." for name, why in _IDLE.items() if environment.get(name)]
    preset = PRESETS.get(found.preset or "")
    notices = (*idle, *([preset.note] if preset and preset.note else []))
    return Config(found, merged.sources, path.parent, notices)


def _put_environment(merged: _Merged, environment: Mapping[str, str], *, local: bool) -> None:
    known = set(_NOT_OPTIONS)
    for path, option in options().items():
        known.update(option.variables)
        if local and path == "project":
            continue  # --local takes no project from the environment
        for variable in option.variables:
            if environment.get(variable):
                value = typed(option, environment[variable])
                merged.put(path, value, variable)
                break
    faults = [
        f"{name}: no such variable{suggestion(name, known)}"
        for name in sorted(environment)
        if name.startswith(_BEGINNING) and name not in known and environment[name]
    ]
    if faults:
        raise UsageError(
            "The environment has variables that gpupipe does not know.",
            details="\n".join(faults),
            resolution="Unset or rename them; docs/reference/configuration.md lists every one.",
        )


def _put_flags(merged: _Merged, flags: Flags) -> None:
    for setting in flags.settings:
        path, value = split_setting(setting)
        merged.put(path, value, "flag", f"--set {path}")
    for name in ("project", "region", "prefix", "preset"):
        value = getattr(flags, name)
        if value is not None:
            merged.put(name, value, "flag", f"--{name}")


def split_setting(setting: str) -> tuple[str, object]:
    """Path and value of a `--set`. UsageError where it is none, or of no option."""
    path, equals, text = setting.partition("=")
    if equals and path in options():
        return path, typed(options()[path], text)
    why = (
        f"no such option{suggestion(path, options())}."
        if equals
        else "give an option and its value, as in --set gpu_inference.memory=32Gi."
    )
    raise UsageError(
        f"--set {setting}: {why}",
        resource="--set",
        resolution="See `gpupipe config show` for every option.",
    )


def _put_preset(merged: _Merged) -> None:
    """A preset's values are other defaults: what anybody sets wins over them."""
    name = merged.values.get("preset")
    preset = PRESETS.get(name) if isinstance(name, str) else None
    for path, value in (preset.values if preset else {}).items():
        if path not in merged.values:
            merged.put(path, value, f"preset {name}")


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by path; a table that stands where an option is expected is a leaf, and an empty one."""
    for name, value in content.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and value and path not in options() and "." not in name:
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def is_url(config: Path | str | None) -> bool:
    """Whether `--config` names an object of Cloud Storage."""
    return isinstance(config, str) and config.startswith(URL)


def decoded(content: bytes, path: Path) -> str:
    """The text of a configuration file. UsageError where it is none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error


def _text(path: Path) -> str:
    try:
        return decoded(path.read_bytes(), path)
    except OSError as error:
        raise _unreadable(path, error) from error


def parsed(text: str, path: Path) -> dict[str, Any]:
    """The tables of a file. UsageError where it is no TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"The configuration file {path} cannot be read.",
        details=str(error),
        resolution="Mend the file; docs/reference/configuration.md shows every option.",
    )


def _not_valid(faults: list[str]) -> UsageError:
    return UsageError(
        "The configuration is not valid.",
        details="\n".join(faults),
        resolution="Mend what is named above; `gpupipe config show` lists every option.",
    )
