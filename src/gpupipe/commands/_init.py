"""What `gpupipe init` does: collect values, check them as a deploy would, write what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpupipe.commands._eject import eject
from gpupipe.commands._question import ask_for
from gpupipe.core.config import FILE, URL, Config, load_text, parsed, split_setting
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.option_table import options
from gpupipe.core.presets import PRESETS
from gpupipe.core.recipe import Taken, taken_over
from gpupipe.core.tfvars import parse
from gpupipe.core.toml_file import with_values, write
from gpupipe.render.console import say, talk

_HEAD = "# What `gpupipe deploy` deploys; `gpupipe config show` lists every option.\n"
_QUESTIONS = {
    "project": "Google Cloud project (empty: the local cloud)",
    "region": "Region",
    "prefix": "Prefix of every name",
    "preset": f"Preset ({', '.join(PRESETS)}; empty: none)",
}


@dataclass(frozen=True, slots=True)
class InitRequest:
    """The command line, parsed. given: option -> value or None."""

    given: Mapping[str, str | None]
    settings: tuple[str, ...]
    file: Path | None
    source: Path | None
    eject: bool
    yes: bool


def run(request: InitRequest) -> int:
    """Carry out the request; the exit code."""
    path = _local(request.file) if request.file else Path.cwd() / FILE
    old = _read(path) if path.exists() else None
    said = parsed(old or "", path)
    taken = _taken(request.source)
    values = {**taken.values, **_given(request)}
    if old is None and not values and not request.eject and not request.yes:
        values = _asked()
    if request.eject:
        values.update(eject(path.parent, said, lambda line: say(talk(), line)))
    text = with_values(_HEAD if old is None else old, values)
    config = _checked(text, path, request.source)
    for name, why in taken.idle.items():
        say(talk(), f"Not taken over: {name}: {why}.", "yellow")
    for note in config.notices:
        say(talk(), f"Note: {note}", "yellow")
    if text == old:
        say(talk(), f"{path} says all of that already; nothing was written.")
        return Exit.DONE
    _write(path, text)
    say(talk(), f"Wrote {path}.", "green")
    say(talk(), "Next: gpupipe doctor, gpupipe plan, gpupipe deploy.")
    return Exit.DONE


def _local(file: Path) -> Path:
    if file.parts[:1] == (URL.rstrip("/"),):
        raise UsageError(
            "init writes a file on this machine, not an object.",
            resource=str(file).replace("\\", "/").replace(":/", "://", 1),
            resolution="Write it here and copy it there: gcloud storage cp gpupipe.toml gs://…/",
            doc="reference/configuration.md",
        )
    return file


def _checked(text: str, path: Path, source: Path | None) -> Config:
    """The configuration that the text makes; an error says where its values came from."""
    try:
        return load_text(text, path, Flags(), {})
    except UsageError as error:
        if source is None:
            raise
        raise UsageError(
            f"What {source.name} says makes no valid {path.name}, so nothing was written.",
            details=error.details,
            resolution="Say otherwise for what is named above, as in --set gpu_inference.cpu=4.",
            doc="how-to/come-from-the-recipe.md",
        ) from error


def _given(request: InitRequest) -> dict[str, object]:
    values: dict[str, object] = {
        name: value for name, value in request.given.items() if value is not None
    }
    return {**values, **dict(split_setting(setting) for setting in request.settings)}


def _asked() -> dict[str, object]:
    found: dict[str, object] = {}
    for path, question in _QUESTIONS.items():
        default = options()[path].default
        answer = ask_for(question, str(default or ""), f"--{path} or --yes")
        if answer and answer != default:
            found[path] = answer
    return found


def _taken(source: Path | None) -> Taken:
    return Taken() if source is None else taken_over(parse(_read(source), source.name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "The file cannot be read.",
            resource=str(path),
            details=str(error),
            resolution="Name a file that is there and is text.",
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        write(path, text)
    except OSError as error:
        raise UsageError(
            "The configuration file cannot be written.",
            resource=str(path),
            details=str(error),
            resolution="Choose a folder that you may write to, or another --config.",
        ) from error
