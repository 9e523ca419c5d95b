"""Runs executions as tasks on the daemon's loop.

An execution that a stop cut off is run again from its beginning at the next start: the services
write each object once, so the second run finds what the first one did (own rule, decision 3 in
docs/explanation/decisions; on Google no execution ends with a machine). Every other run is stored
with its end.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import httpx

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.call_log import CallLog
from gpupipe.localcloud.services.executions.callbacks import Callbacks
from gpupipe.localcloud.services.executions.history import Histories
from gpupipe.localcloud.services.executions.outcome import (
    QUEUED,
    Change,
    active,
    at_steps,
    failed,
    succeeded,
)
from gpupipe.localcloud.services.executions.ports import Ports, environment
from gpupipe.localcloud.services.executions.store import Store
from gpupipe.workflows.errors import ExecutionFailed, failure, raised
from gpupipe.workflows.interpreter import Interpreter
from gpupipe.workflows.limits import HTTP_TIMEOUT_MOST_S
from gpupipe.workflows.program import load
from gpupipe.workflows.values import from_json, to_json

MOST_AT_ONCE = 10_000
"""Google's limit of executions at once; the others wait."""
MOST_REQUESTS = 250
"""Not Google's: a request may hold two sockets here, and processes may open 1,024 files."""
_END_S = 10
_PROGRAMS = 32
_program = lru_cache(_PROGRAMS)(load)


class Runner:
    """The tasks of executions that have not ended. `_tasks` is changed on the loop alone."""

    def __init__(
        self,
        kernel: Kernel,
        store: Store,
        callbacks: Callbacks,
        histories: Histories,
        *,
        again_s: float = 10,
        at_once: int = MOST_AT_ONCE,
    ) -> None:
        """`again_s`: seconds until an end that could not be stored is tried again.

        at_once: how many run; those that begin later wait for a place.
        """
        self._kernel = kernel
        self._store = store
        self._callbacks = callbacks
        self._histories = histories
        self._again_s = again_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)
        self._lines = asyncio.Semaphore(MOST_REQUESTS)
        self._client: httpx.AsyncClient | None = None
        self._stopped = False
        # One thread, so that log entries and the end of an execution are written in their order.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="executions")

    @property
    def full(self) -> bool:
        """Whether an execution that begins now has to wait for a place."""
        return len(self._tasks) >= self._at_once

    def begin(self, name: str) -> None:
        """Run a stored execution; its end is written when it comes."""
        self._kernel.loop().call_soon_threadsafe(self._begin, name)

    def end(self, names: list[str]) -> None:
        """Cut executions off; what is stored of them stays as it is."""
        self._wait(self._end(names))

    def end_all(self) -> None:
        """Cut all of them off; new ones may begin after."""
        self._wait(self._end(None))

    def later(self, work: Callable[[], None]) -> None:
        """Do it after what is being written now."""
        self._writer.submit(work)

    def stop(self) -> None:
        """Cut all of them off and close the connections; what is being written is written."""
        self._wait(self._close())
        self._writer.shutdown(wait=True)

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._kernel.loop()
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(work, loop).result(_END_S)
        else:
            work.close()

    def _begin(self, name: str) -> None:
        if self._stopped:
            return  # stored as unfinished, so the next start begins it
        task = asyncio.get_running_loop().create_task(self._run(name))
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._forget(name))

    def _forget(self, name: str) -> None:
        self._tasks.pop(name, None)

    async def _end(self, names: list[str] | None) -> None:
        wanted = list(self._tasks) if names is None else names
        tasks = [self._tasks[name] for name in wanted if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self) -> None:
        self._stopped = True
        await self._end(None)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _run(self, name: str) -> None:
        async with self._places:
            try:
                change = await self._outcome(name)
                steps = self._histories.current(name)
            except asyncio.CancelledError:
                self._histories.end(name, cancelled=True)
                raise
            self._histories.end(name, cancelled=False)
            await self._ended(name, change, steps)

    async def _ended(self, name: str, outcome: Change, steps: list[tuple[str, str]]) -> None:
        """Store an end; on a full disk again and again, as nobody else would."""
        now = self._kernel.clock.now()

        def change(execution: Any) -> None:
            outcome(execution, now)
            at_steps(execution, steps)

        while True:
            try:
                await self._written(self._store.change_unfinished, name, change)
            except sqlite3.Error as error:
                log_failure(f"the end of execution {name}", error)
                await asyncio.sleep(self._again_s)
            else:
                return

    async def _outcome(self, name: str) -> Change:
        try:
            return succeeded(await self._execute(name))
        except ExecutionFailed as error:
            return failed(error)
        except ServiceError as error:  # also when it was deleted: then nothing is left to change
            return failed(failure(raised("SystemError", error.message)))
        except Exception as error:  # noqa: BLE001  # the supervisor of all executions
            told = internal(log_failure(f"execution {name}", error)).message
            return failed(failure(raised("SystemError", told)))

    async def _execute(self, name: str) -> str:
        execution, workflow = await asyncio.to_thread(self._store.with_revision, name)
        if execution.state == QUEUED:
            now = self._kernel.clock.now()
            await self._written(self._store.change_unfinished, name, lambda one: active(one, now))
        execution_id = name.rpartition("/")[2]
        variables = await asyncio.to_thread(environment, self._kernel, workflow, execution_id)
        program = await asyncio.to_thread(_program, workflow.source_contents)
        callbacks = self._callbacks.port(name, self._writer)
        ports = Ports(
            self._kernel,
            self._http(),
            self._lines,
            workflow,
            execution_id,
            self._writer,
            callbacks,
        )
        calls = CallLog(execution.call_log_level, ports.log(), execution_id, self._kernel.clock)
        history = self._histories.begin(name, self._writer, calls)
        interpreter = Interpreter(program, ports.effects(), variables, history)
        argument = from_json(execution.argument) if execution.argument else None
        try:
            return to_json(await interpreter.run(argument))
        finally:
            callbacks.close()

    async def _written(self, work: Any, *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                limits=limits,
                timeout=HTTP_TIMEOUT_MOST_S,  # each request's own is kept by `HttpPort`
            )
        return self._client
