"""The one build step that is emulated: `gcr.io/cloud-builders/docker` with `build`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

DOCKER = frozenset({"gcr.io/cloud-builders/docker", "docker"})
_OPTIONS = {
    "--file": "file",
    "-f": "file",
    "--tag": "tag",
    "-t": "tag",
    "--build-arg": "build-arg",
    "--label": "label",
    "--target": "target",
}


class StepError(Exception):
    """The step is not one that the local cloud carries out; the text says why."""


@dataclass(slots=True)
class DockerBuild:
    """`docker build`: the Dockerfile's path in the context, tags, arguments, labels."""

    file: str = "Dockerfile"
    tags: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def parse(args: Sequence[str]) -> DockerBuild:
    """The arguments of the step; StepError for any that is not known."""
    if not args or args[0] != "build":
        raise StepError("only docker build is emulated")
    step, contexts, waiting = DockerBuild(), [], list(args[1:])
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-"):
            contexts.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in _OPTIONS or _OPTIONS[name] == "target":
            raise StepError(f"the option {name} of docker build is not emulated")
        if not equals:
            if not waiting:
                raise StepError(f"the option {name} needs a value")
            value = waiting.pop(0)
        _take(step, _OPTIONS[name], value)
    if contexts != ["."]:
        raise StepError("the context of docker build must be `.`")
    return step


def _take(step: DockerBuild, option: str, value: str) -> None:
    if option == "file":
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts:
            raise StepError(f"the Dockerfile {value!r} is not in the source")
        step.file = value
    elif option == "tag":
        step.tags.append(value)
    else:
        key, equals, text = value.partition("=")
        if not key or not equals:
            raise StepError(f"--{option} must be KEY=VALUE")
        (step.arguments if option == "build-arg" else step.labels)[key] = text
