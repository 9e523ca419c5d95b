"""Reads a Dockerfile into stages of instructions; what is not supported is refused by its line.

The subset: FROM, ARG, ENV, LABEL, WORKDIR, EXPOSE, USER, STOPSIGNAL, COPY, and RUN, CMD, ENTRYPOINT
in exec form; comments, continued lines and the directives `syntax` and `escape=\\`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gpupipe.localcloud.services.cloudbuild.builder.job import BuildError, at

SUPPORTED = frozenset(
    {
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "LABEL",
        "RUN",
        "STOPSIGNAL",
        "USER",
        "WORKDIR",
    }
)
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(.*?)\s*")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: where it begins, its upper-case keyword, and the rest of its line."""

    line: int
    keyword: str
    text: str

    def __str__(self) -> str:
        return f"{self.keyword} {self.text}".rstrip()

    def refuse(self, why: str) -> BuildError:
        """The refusal of this instruction, with its line and text."""
        return at(self.line, str(self), why)

    def exec_form(self) -> tuple[str, ...]:
        """The JSON array of CMD, ENTRYPOINT and RUN; the shell form is refused."""
        try:
            value = json.loads(self.text)
        except ValueError:
            value = None
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise self.refuse(
                f'only the exec form {self.keyword} ["program", "argument"] is supported: '
                "nothing is given to a shell"
            )
        return tuple(value)

    def flags(self) -> tuple[dict[str, str], str]:
        """The leading --name=value flags, and the text after them."""
        found, rest = {}, self.text
        while match := _FLAG.match(rest):
            found[match[1]] = match[2] or ""
            rest = rest[match.end() :]
        return found, rest


def parse(text: str) -> tuple[Instruction, ...]:
    """The instructions in their order; BuildError with line and text for any other one."""
    instructions = tuple(_instructions(text))
    for instruction in instructions:
        if instruction.keyword not in SUPPORTED:
            raise instruction.refuse(
                f"{instruction.keyword} is not supported by the local cloud (supported: "
                f"{', '.join(sorted(SUPPORTED))})"
            )
    if not any(instruction.keyword == "FROM" for instruction in instructions):
        raise BuildError("The Dockerfile has no FROM.")
    return instructions


def _instructions(text: str) -> Iterator[Instruction]:
    lines = text.splitlines()
    start = _after_directives(lines)
    pending, first = "", 0
    for number, line in enumerate(lines[start:], start + 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue  # also inside a continued line, as Docker has it
        if not pending:
            first = number
        whole = pending + (line.lstrip() if not pending else line)
        if whole.rstrip().endswith("\\"):
            pending = whole.rstrip()[:-1] or " "
            continue
        pending = ""
        yield _instruction(first, whole.strip())
    if pending.strip():
        yield _instruction(first, pending.strip())


def _instruction(line: int, whole: str) -> Instruction:
    keyword, _, rest = whole.replace("\t", " ").partition(" ")
    return Instruction(line, keyword.upper(), rest.strip())


def _after_directives(lines: list[str]) -> int:
    """How many lines at the top are parser directives."""
    for index, line in enumerate(lines):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in {"syntax", "escape", "check"}:
            return index
        if match[1].lower() == "escape" and match[2] != "\\":
            raise at(index + 1, line, "only the escape character \\ is supported")
    return len(lines)
