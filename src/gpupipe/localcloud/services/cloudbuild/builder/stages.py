"""The stages of a Dockerfile, and which of them the last one needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe.localcloud.services.cloudbuild.builder.dockerfile import Instruction
from gpupipe.localcloud.services.cloudbuild.builder.words import WordError, one, split

# docker.io/library/python, with or without its registry, tag and digest
_PYTHON = re.compile(
    r"(?:docker\.io/)?(?:library/)?python(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)
_UV = re.compile(r"ghcr\.io/astral-sh/uv(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]{64})?")
_VERSION = re.compile(r"(\d+\.\d+)(?:\.\d+)?(?:-.*)?")


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows. base: index of an earlier stage, or None for a python image."""

    index: int
    origin: Instruction
    image: str
    name: str
    base: int | None
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages, the ARGs before the first of them, and the indexes that are built."""

    stages: tuple[Stage, ...]
    arguments: Mapping[str, str]
    needed: frozenset[int]

    def find(self, name: str, before: int) -> int | None:
        """The earlier stage of this name or number."""
        for stage in reversed(self.stages[:before]):
            if name.lower() == stage.name or name == str(stage.index):
                return stage.index
        return None


def plan(instructions: tuple[Instruction, ...], given: Mapping[str, str]) -> Plan:
    """The stages with their FROM lines expanded; BuildError for an image that is not supported."""
    arguments: dict[str, str] = {}
    groups: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            groups.append([instruction])
        elif groups:
            groups[-1].append(instruction)
        elif instruction.keyword == "ARG":
            arguments |= defaults(instruction, arguments, given)
        else:
            raise instruction.refuse("only ARG may come before the first FROM")
    stages: list[Stage] = []
    for group in groups:
        stages.append(_stage(group, stages, arguments))
    whole = Plan(tuple(stages), arguments, frozenset())
    return Plan(whole.stages, arguments, frozenset(_needed(whole)))


def defaults(
    instruction: Instruction,
    variables: Mapping[str, str],
    given: Mapping[str, str],
    outer: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What an ARG line declares: the given value, else its default, else that of the outer ARG."""
    found: dict[str, str] = {}
    try:
        words = split(instruction.text, variables)
    except WordError as error:
        raise instruction.refuse(str(error)) from error
    for word in words:
        name, equals, default = word.partition("=")
        if name in given:
            found[name] = given[name]
        elif equals:
            found[name] = default
        elif outer and name in outer:
            found[name] = outer[name]
    return found


def python_version(image: str) -> str | None:
    """ "3.11" for python:3.11-slim; None when the tag names no version."""
    match = _PYTHON.fullmatch(image)
    version = _VERSION.fullmatch(match["tag"] or "") if match else None
    return version[1] if version else None


def uv_version(image: str) -> str | None:
    """The tag of a uv image ('' without one); None for any other image."""
    match = _UV.fullmatch(image)
    return None if match is None else match["tag"] or ""


def _stage(group: list[Instruction], earlier: list[Stage], variables: Mapping[str, str]) -> Stage:
    origin = group[0]
    flags, rest = origin.flags()
    if flags:
        raise origin.refuse(f"the flag --{next(iter(flags))} is not supported")
    parts = rest.split()
    if len(parts) not in {1, 3} or (len(parts) == 3 and parts[1].upper() != "AS"):  # noqa: PLR2004
        raise origin.refuse("expected FROM IMAGE [AS NAME]")
    try:
        image = one(parts[0], variables)
    except WordError as error:
        raise origin.refuse(str(error)) from error
    base = next((stage.index for stage in earlier if stage.name == image.lower()), None)
    if base is None and not _PYTHON.fullmatch(image):
        raise origin.refuse(
            f"the image {image!r} is not supported by the local cloud: it builds from a python "
            "image (python:TAG) or an earlier stage"
        )
    name = parts[2].lower() if len(parts) == 3 else ""  # noqa: PLR2004
    return Stage(len(earlier), origin, image, name, base, tuple(group[1:]))


def _needed(whole: Plan) -> set[int]:
    needed: set[int] = set()
    waiting = [len(whole.stages) - 1]
    while waiting:
        stage = whole.stages[waiting.pop()]
        needed.add(stage.index)
        sources = [stage.base] if stage.base is not None else []
        for instruction in stage.instructions:
            origin = instruction.flags()[0].get("from", "") if instruction.keyword == "COPY" else ""
            found = whole.find(origin, stage.index) if origin else None
            sources += [found] if found is not None else []
        waiting += [index for index in sources if index not in needed]
    return needed
