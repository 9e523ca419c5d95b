"""Where output goes: stdout carries the answer, stderr carries everything said on the way.

Names and reasons come from outside, so nothing here reads Rich's markup, and no line is folded:
what is longer than the window is left to the terminal, which keeps a copied name whole.
"""

import sys

from rich.console import Console
from rich.text import Text

from gpupipe.core.manners import manners


def answer() -> Console:
    """The console of the answer (stdout)."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def talk() -> Console:
    """The console of progress, questions and warnings (stderr)."""
    return _stderr(quiet=manners().quiet)


def complaint() -> Console:
    """The console of errors (stderr), which are told in any case."""
    return _stderr(quiet=False)


def _stderr(*, quiet: bool) -> Console:
    return Console(
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
