"""Asks before something that costs money or removes data. The default is No.

Where nobody can answer, a question is an error that names the option which answers it: `--no-input`
says so, and so does an input that has ended.
"""

import sys

from gpupipe.core.errors import UsageError
from gpupipe.core.manners import manners


def ask(question: str, flag: str = "--yes") -> bool:
    """True for yes. UsageError naming `flag` where nobody can answer."""
    answer = _answer(f"{question} [y/N] ", flag)
    return answer.lower() in {"y", "yes"}


def ask_to_type(question: str, word: str, flag: str = "--yes") -> bool:
    """True when exactly `word` is typed. UsageError naming `flag` where nobody can answer."""
    return _answer(f"{question} Type {word} to go on: ", flag) == word


def ask_for(question: str, default: str, flag: str) -> str:
    """What is typed, or the default for an empty line. UsageError naming `flag` as above."""
    return _answer(f"{question} [{default}]: " if default else f"{question}: ", flag) or default


def _answer(prompt: str, flag: str) -> str:
    if manners().no_input or sys.stdin is None:
        raise _nobody(prompt, flag)
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
        raise _nobody(prompt, flag)
    return line.strip()


def _nobody(prompt: str, flag: str) -> UsageError:
    return UsageError(
        "There is a question, and nobody to answer it.",
        resource=prompt.strip().removesuffix(":"),
        details="Nothing was done.",
        resolution=f"Give {flag}, or run the command in a terminal.",
        doc="reference/cli.md",
    )
