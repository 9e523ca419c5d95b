"""The branches of a parallel step: a few at a time, all to their end, errors kept by branch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from gpupipe.workflows.errors import WorkflowError, failure, raised
from gpupipe.workflows.limits import UNHANDLED_ERRORS
from gpupipe.workflows.values import Value, copy

Branch = tuple[str, Callable[[], Awaitable[Any]]]
"""A branch's id, and what begins it."""
Places = asyncio.Semaphore
"""How many branches of one execution may run at once, in all of its parallel steps together."""


class Crew:
    """Runs the branches of one parallel step, `width` at a time at most."""

    def __init__(self, places: Places, width: int) -> None:
        self._places = places
        self._width = width
        self._failed: dict[int, tuple[str, WorkflowError]] = {}
        self.truncated = False

    @property
    def failed(self) -> list[tuple[str, WorkflowError]]:
        """The errors that no branch caught, in the order of the branches, as many as are told."""
        return [self._failed[at] for at in sorted(self._failed)[:UNHANDLED_ERRORS]]

    @asynccontextmanager
    async def place_given_back(self, *, inside: bool) -> AsyncIterator[None]:
        """A branch that waits for branches of its own needs no place meanwhile."""
        if not inside:
            yield
            return
        self._places.release()
        try:
            yield
        finally:
            await self._places.acquire()

    async def work(self, branches: Iterator[Branch]) -> None:
        """Run them all. An error that cannot be caught ends the others and is raised."""
        numbered = enumerate(branches)
        tasks = [asyncio.ensure_future(self._take(numbered)) for _ in range(self._width)]
        try:
            await asyncio.gather(*tasks)
        finally:
            # Only after a cancellation or a used-up limit is anything still running here.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, branches: Iterator[tuple[int, Branch]]) -> None:
        for at, (name, begin) in branches:
            async with self._places:
                try:
                    await begin()
                except WorkflowError as error:
                    if not error.can_be_caught:
                        raise
                    self._failed[at] = name, error
            if len(self._failed) >= UNHANDLED_ERRORS:
                self.truncated = True
                return


def unhandled(crew: Crew) -> WorkflowError:
    """The error of a parallel step in which branches failed."""
    error = raised(
        "UnhandledBranchError",
        "One or more branches or iterations encountered an unhandled runtime error",
        branches=[{"id": name, "error": _of_branch(error)} for name, error in crew.failed],
        truncated=crew.truncated,
    )
    error.value["tags"].append("RuntimeError")
    return error


def _of_branch(error: WorkflowError) -> dict[str, Value]:
    return {"context": failure(error).context, "payload": copy(error.value)}
