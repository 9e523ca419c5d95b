"""Asks before something that costs money or removes data. The default is No."""

import sys


def ask(question: str) -> bool:
    """True for yes. Without a terminal or an answer there is no yes."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in {"y", "yes"}


def ask_to_type(question: str, word: str) -> bool:
    """True when exactly `word` is typed."""
    print(f"{question} Type {word} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == word
