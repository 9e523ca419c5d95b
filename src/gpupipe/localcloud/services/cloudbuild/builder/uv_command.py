"""`RUN ["uv", ...]`: which commands are run, and their arguments mapped into the stage's folder.

Environments live in the image only: installing into this machine's Python is refused. Virtual
environments are made relocatable, because an image's folder is moved once it is built.
"""

import re
from pathlib import Path

from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine
from gpupipe.localcloud.services.cloudbuild.builder.state import StageState
from gpupipe.localcloud.services.cloudbuild.builder.tree import inside

_COMMANDS = frozenset(
    {
        ("--version",),
        ("sync",),
        ("venv",),
        ("pip", "check"),
        ("pip", "install"),
        ("pip", "list"),
        ("pip", "sync"),
        ("pip", "uninstall"),
    }
)
_REFUSED = frozenset(
    {
        "--active",
        "--break-system-packages",
        "--cache-dir",
        "--config-file",
        "--directory",
        "--prefix",
        "--project",
        "--root",
        "--system",
        "--user",
        "-t",
    }
)
_PYTHON_OPTIONS = ("--python", "-p")
_ANY_PYTHON = re.compile(r"(?:/usr/(?:local/)?bin/)?python3?|3")
_SAME_PYTHON = re.compile(r"(?:/usr/(?:local/)?bin/)?(?:python)?(3\.\d+)(?:\.\d+)?")


class UvError(Exception):
    """The command is not one that is run; the text says why."""


def command(arguments: tuple[str, ...], stage: StageState, machine: Machine) -> list[str]:
    """The program and its arguments for this machine."""
    kind = _kind(arguments)
    for argument in arguments:
        _check(argument)
    rest = _mapped(list(arguments[len(kind) :]), stage, machine)
    if kind == ("venv",):
        rest = ["--relocatable", *rest]
    if kind in {("venv",), ("sync",)} and not _names_python(rest):
        rest = ["--python", str(machine.python), *rest]
    if kind[0] == "pip" and not _names_python(rest):
        rest = ["--python", str(_environment(stage)), *rest]
    return [str(machine.uv), *kind, *rest]


def _kind(arguments: tuple[str, ...]) -> tuple[str, ...]:
    for length in (1, 2):
        if arguments[:length] in _COMMANDS:
            return arguments[:length]
    known = ", ".join(sorted("uv " + " ".join(words) for words in _COMMANDS))
    raise UvError(f"uv {' '.join(arguments[:2])} is not run by the local cloud (it runs: {known})")


def _check(argument: str) -> None:
    name, _, value = argument.partition("=")
    if name in _REFUSED:
        raise UvError(
            f"the option {name} is not supported: packages go into the image's own venv, or with --target into a folder"
        )
    if ".." in Path(value or argument).parts:
        raise UvError(f"the path {argument!r} has `..`")
    if name == "--link-mode" or "symlink" in argument:
        raise UvError("links to the package cache are not supported: an image keeps its own files")


def _mapped(arguments: list[str], stage: StageState, machine: Machine) -> list[str]:
    result: list[str] = []
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if index and arguments[index - 1] in _PYTHON_OPTIONS:
            result.append(_python(argument, stage, machine))
        elif name in _PYTHON_OPTIONS and equals:
            result.append(f"{name}={_python(value, stage, machine)}")
        elif name.startswith("-") and value.startswith("/"):
            result.append(f"{name}={inside(stage.root, value)}")
        elif argument.startswith("/"):
            result.append(str(inside(stage.root, argument)))
        else:
            result.append(argument)
    return result


def _python(value: str, stage: StageState, machine: Machine) -> str:
    """This machine's Python for the image's own; a path in the image stays one."""
    if _ANY_PYTHON.fullmatch(value):
        return str(machine.python)
    same = _SAME_PYTHON.fullmatch(value)
    if same and machine.python_version.startswith(f"{same[1]}."):
        return str(machine.python)
    if same:
        raise UvError(f"Python {same[1]} is not here: the local cloud has {machine.python_version}")
    return str(_in_image(stage, value))


def _in_image(stage: StageState, value: str) -> Path:
    path = stage.root / (value if value.startswith("/") else f"{stage.workdir}/{value}").lstrip("/")
    if not path.exists():
        raise UvError(f"{value} is not in the image")
    return path


def _environment(stage: StageState) -> Path:
    """The environment that uv would find in the container, and no other."""
    named = stage.variables.get("VIRTUAL_ENV") or f"{stage.workdir}/.venv"
    path = stage.root / named.lstrip("/") / "bin" / "python"
    if not path.is_relative_to(stage.root) or not path.exists():
        raise UvError(
            "there is no environment to install into: give --python /PATH/.venv/bin/python"
        )
    return path


def _names_python(arguments: list[str]) -> bool:
    return any(argument.partition("=")[0] in _PYTHON_OPTIONS for argument in arguments)
