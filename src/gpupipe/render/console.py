"""Where output goes: stdout carries the answer, stderr carries everything said on the way.

Names and reasons come from outside, so nothing here reads Rich's markup, what a terminal would take for
a command is spelled out, and no line is folded: what is longer than the window is left to the terminal,
which keeps a copied name whole.
"""

import re
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from gpupipe.core.manners import manners

# Control characters but for line feed and tab, and what turns the direction of writing or ends a line.
_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def spelled(text: str) -> str:
    """The text with its control characters as JSON spells them: `\\u001b`."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class _Console(Console):
    """Lets no text of others command the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As Console.render, of which everything that is printed comes."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(spelled(text), style)


def answer() -> Console:
    """The console of the answer (stdout)."""
    return _Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def talk() -> Console:
    """The console of progress, questions and warnings (stderr)."""
    return _stderr(quiet=manners().quiet)


def complaint() -> Console:
    """The console of errors (stderr), which are told in any case."""
    return _stderr(quiet=False)


def _stderr(*, quiet: bool) -> Console:
    return _Console(
        stderr=True,
        quiet=quiet,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not sys.stderr.isatty(),
    )


def say(console: Console, line: str | Text, style: str = "") -> None:
    """One line, word for word, never folded."""
    text = Text(line, style=style) if isinstance(line, str) else line
    console.print(text, soft_wrap=True)
