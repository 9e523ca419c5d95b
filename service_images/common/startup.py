"""Getting ready while the port is already bound.

Contract: `prepare` runs in a thread from the application's start; until it is done, and for good
when it failed, everything that needs its value answers 503 with the reason, and /ready too. A
FatalStartError ends the process: staying up would hide a wrong machine behind a slow one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from anyio import to_thread

from common.problems import FatalStartError, ProblemError, StartError, not_ready

_log = logging.getLogger(__name__)
T = TypeVar("T")


async def _idle(_value: object) -> None:
    """For a service that runs nothing between requests."""


class Startup(Generic[T]):
    """Holds what `prepare` made once it is made; `serve` then runs until the service ends."""

    def __init__(
        self,
        prepare: Callable[[], T],
        *,
        serve: Callable[[T], Awaitable[None]] = _idle,
        on_fatal: Callable[[], None] | None = None,
    ) -> None:
        self._prepare = prepare
        self._serve = serve
        self._on_fatal = on_fatal
        self._value: T | None = None
        self._finished = asyncio.Event()
        self.reason = "starting"

    def ready(self) -> T | None:
        """The value, or None while there is none."""
        return self._value

    def value(self) -> T:
        """The value. Raises the 503 while there is none."""
        if self._value is None:
            raise not_ready(self.reason)
        return self._value

    async def wait(self) -> None:
        """Waits until the preparation has ended, well or not."""
        await self._finished.wait()

    async def run(self) -> None:
        """Prepares, then serves. Ends only with the service."""
        try:
            self._value = await to_thread.run_sync(self._prepare, abandon_on_cancel=True)
        except FatalStartError as error:
            self.reason = str(error)
            _log.critical("cannot start: %s", error)
            if self._on_fatal is not None:
                self._on_fatal()
        except (StartError, ProblemError) as error:
            self.reason = str(error)
            _log.error("not ready: %s", error)
        except Exception as error:  # noqa: BLE001 - a supervisor: the service answers 503 instead
            self.reason = f"unexpected {type(error).__name__} while starting"
            _log.critical(self.reason, exc_info=error)
        finally:
            self._finished.set()
        if self._value is not None:
            _log.info("ready")
            await self._serve(self._value)
