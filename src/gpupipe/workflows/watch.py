"""Who looks on while an execution runs, and hears of every step, iteration, branch and call."""

from collections.abc import Mapping
from typing import Any, Protocol

from gpupipe.workflows.errors import WorkflowError

NO_ENTRY = 0
"""The entry above the first steps."""


class Watch(Protocol):
    """Entries are numbered from 1, each below the one that it is part of."""

    def began(self, parent: int, routine: str, step: str, kind: str, number: int | None, /) -> int:
        """A step begins, or the `number`-th iteration or branch of one; gives the new entry.

        kind: the name of its StepType in the Executions API.
        """

    def ended(self, entry: int, error: WorkflowError | None, /) -> None:
        """It ended, by an error or without one; one that is cancelled never says so."""

    def calling(self, step: str, function: str, arguments: Mapping[str, Any], /) -> object:
        """A call step calls; what is given back comes with the outcome."""

    def called(self, call: object, result: Any, error: WorkflowError | None, /) -> None:
        """The outcome of a call."""


class NoWatch:
    """Nobody looks on."""

    def began(self, *_: object) -> int:
        """Nothing."""
        return NO_ENTRY

    def ended(self, *_: object) -> None:
        """Nothing."""

    def calling(self, *_: object) -> object:
        """Nothing."""
        return None

    def called(self, *_: object) -> None:
        """Nothing."""
