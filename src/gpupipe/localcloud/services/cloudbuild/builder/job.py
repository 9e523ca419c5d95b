"""What the builder needs of whoever runs it: a log, and a way to be told to end."""

from collections.abc import Callable
from dataclasses import dataclass


class BuildError(Exception):
    """The build failed; the text is for the person who wrote the Dockerfile."""


class BuildEndedError(Exception):
    """The build was told to end: cancelled, out of time, or the local cloud stops."""


@dataclass(frozen=True, slots=True)
class Job:
    """log: takes one line. ended: whether to stop now; asked often."""

    log: Callable[[str], None]
    ended: Callable[[], bool]

    def check(self) -> None:
        """Raise BuildEndedError when the build is to end."""
        if self.ended():
            raise BuildEndedError


def at(line: int, text: str, why: str) -> BuildError:
    """A refusal of one line of a Dockerfile."""
    return BuildError(f"Dockerfile line {line}: {why}\n  {text}")
