"""The commands in the documents: where they stand, what they show, and whether the real command line takes them.

In ```` ```console ```` a line with `$ ` is a command and what follows is its output; in ```` ```bash ````
every line is one. In both, they are what a reader types, and tests type them. `…` alone stands for
lines that are left out, and at the end of a line for its rest.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from gpupipe.app import build, everywhere

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"api.md", "cli.md", "configuration.md", "iam.md", "refusals.md", "troubleshoot.md"}
_CALL = re.compile(r"(?:^|(?<=[\s/(\"]))gpupipe(?= )([^|;&()<>#`]*)")
_INLINE = re.compile(r"`(gpupipe [^`]+)`")
_LEAVES_OUT = "…"
_COUNTED = "resources|files?|succeeded|failed|to (?:create|update)"
_NUMBER = re.compile(rf"(?<!\d)(?<!\d\.)(?!0\.\d{{3}}\b)\d+(?! (?:{_COUNTED})\b)([.,:-]\d+)*(?!\d)")


def pages() -> list[Path]:
    """What people read and type from: what a script writes is left out."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if page.name not in GENERATED]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Command:
    """One command: its line in the page, what is typed, and the lines of output that the page shows."""

    line: int
    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and the lines in it, the first of them at `line`."""

    language: str
    line: int
    lines: tuple[str, ...]

    @property
    def commands(self) -> list[Command]:
        """What is typed, with its output; none where the block is no shell's."""
        if self.language == "bash":
            return _typed(self.line, self.lines)
        return _shown(self.line, self.lines) if self.language == "console" else []


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    fence, begun, held = "", 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if fence:
            if line.strip() == "```":
                yield Block(fence, begun, tuple(dedent("\n".join(held)).split("\n")))
                fence = ""
            else:
                held.append(line)
        elif line.strip().startswith("```"):
            fence, begun, held = line.strip()[3:] or "text", number + 1, []


def commands(page: Path) -> list[Command]:
    """All that the page has its reader type, in its order."""
    return [command for block in blocks(page) for command in block.commands]


def _typed(line: int, lines: tuple[str, ...]) -> list[Command]:
    found, held = list[Command](), list[str]()
    for number, text in enumerate(lines, start=line):
        held.append(text)
        whole = "\n".join(held)
        here = re.search(r"<<'(\w+)'", whole)
        if text.endswith("\\") or (here and text != here[1]):
            continue
        if whole.strip() and not whole.startswith("#"):
            found.append(Command(number + 1 - len(held), whole))
        held.clear()
    return found


def _shown(line: int, lines: tuple[str, ...]) -> list[Command]:
    found: list[Command] = []
    for number, text in enumerate(lines, start=line):
        if text.startswith("$ "):
            found.append(Command(number, text[2:]))
        elif found and text.strip():
            last = found.pop()
            found.append(Command(last.line, last.text, (*last.shown, text)))
    return found


def calls(text: str) -> list[list[str]]:
    """The arguments of each call of gpupipe in a line that a shell would read."""
    return [shlex.split(found) for found in _CALL.findall(text)]


def mentions(text: str) -> list[str]:
    """The commands that running text names in backticks."""
    return _INLINE.findall(text)


def refusal(arguments: list[str], *, whole: bool) -> str:
    """Why the real command line does not take these arguments; "" where it does. Nothing is run.

    whole: all that is required has to be there, as in what is typed, unlike in what is only named.
    """
    # The one option that acts while it is read: it writes into the shell's start-up file.
    arguments = [one for one in arguments if one != "--install-completion"]
    command = _root()
    name, rest, context = "gpupipe", everywhere(arguments), None
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(command, "resolve_command") or not rest:
                return ""
            name, command, rest = command.resolve_command(context, rest)
    except Exception as error:  # noqa: BLE001  # Typer's Click exports no class of its refusals
        return _refused(error, whole=whole)


@cache
def _root() -> Any:
    return build()


def _refused(error: Exception, *, whole: bool) -> str:
    kind = type(error).__name__
    if kind in {"Exit", "NoArgsIsHelpError"}:  # --help, or a group by itself
        return ""
    if kind == "MissingParameter" and not whole:
        return ""
    message = str(getattr(error, "message", error))
    # What is the reader's to fill in.
    theirs = "does not exist" in message or "'SERVICE' is not one of" in message
    return "" if theirs else f"{kind}: {message}"


def differs(shown: tuple[str, ...], came: str) -> str:
    """The first shown line that did not come, in its order; "" where all did.

    Numbers and ids may differ, but for scores (three places) and for how many resources and files there are.
    """
    lines = iter([_plain(line) for line in came.splitlines()])
    for line in shown:
        wanted = _plain(line)
        if wanted == _LEAVES_OUT:
            continue
        prefix = wanted.removesuffix(_LEAVES_OUT)
        if not any(one.startswith(prefix) if prefix != wanted else one == wanted for one in lines):
            return line
    return ""


def _plain(line: str) -> str:
    line = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8}\b", "#", line)
    line = re.sub(r"\b\d{5,6}-[a-z0-9]{3}\b", "#", line)  # revisions of services and workflows
    return " ".join(_NUMBER.sub("#", line).split())
