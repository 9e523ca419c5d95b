"""How a command behaves towards people: how much it says, and whether it may ask.

Set once, by the root command, before anything runs.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manners:
    """quiet: only the answer and errors. verbose: each request to an API too. no_input: ask nothing."""

    quiet: bool = False
    verbose: bool = False
    no_input: bool = False


_current = [Manners()]


def manners() -> Manners:
    """How this command behaves."""
    return _current[0]


def behave(chosen: Manners) -> None:
    """Set how this command behaves."""
    _current[0] = chosen
