"""Where output goes: stdout carries the answer, stderr carries everything said on the way."""

import sys

from rich.console import Console


def answer() -> Console:
    """The console of the answer (stdout)."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def talk() -> Console:
    """The console of progress, questions and warnings (stderr)."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
