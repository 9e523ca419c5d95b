"""Callback endpoints of executions: kept with the calls that came, until their execution ends.

An endpoint holds one call that no step has taken yet; another one meanwhile is refused. An execution
that a stop cut off begins again: its first endpoint is its first endpoint then as well, at the same
address, and gets again every call that it had got (own rule, as decision 3).
"""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from gpupipe.localcloud.errors import Code, ServiceError, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.store import UNFINISHED
from gpupipe.workflows.effects import CallbackRequest, RequestTimeout, UnknownCallback

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS callbacks (
        id TEXT PRIMARY KEY, execution TEXT NOT NULL, place INTEGER NOT NULL,
        method TEXT NOT NULL,
        FOREIGN KEY (execution) REFERENCES executions (name) ON DELETE CASCADE)""",
    "CREATE INDEX IF NOT EXISTS callbacks_by_execution ON callbacks (execution, place)",
    """CREATE TABLE IF NOT EXISTS callback_requests (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, callback TEXT NOT NULL, body TEXT NOT NULL,
        FOREIGN KEY (callback) REFERENCES callbacks (id) ON DELETE CASCADE)""",
    "CREATE INDEX IF NOT EXISTS callback_requests_of ON callback_requests (callback, sequence)",
)


@dataclass(frozen=True, slots=True)
class Callback:
    """An endpoint as the API lists it; `payloads` are those that no step has taken."""

    id: str
    method: str
    payloads: tuple[str, ...]
    waiters: int


@dataclass(slots=True)
class _Live:
    """What is known of an endpoint while its execution runs. Changed on the loop alone."""

    taken: int = 0
    waiting: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Callbacks:
    """The endpoints of all executions."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._live: dict[str, _Live] = {}
        kernel.database.define(*_SCHEMA)

    def of(self, execution: str) -> list[Callback]:
        """Those of an execution that has not ended, by their ids."""
        rows = self._kernel.database.read().execute(
            "SELECT c.* FROM callbacks c JOIN executions e ON e.name=c.execution"
            " WHERE c.execution=? AND e.state IN (?, ?) ORDER BY c.id",
            (execution, *UNFINISHED),
        )
        return [self._listed(row) for row in rows.fetchall()]

    def receive(self, execution: str, callback: str, request: CallbackRequest) -> None:
        """Keep a call and wake who waits for it. NOT_FOUND, 405, RESOURCE_EXHAUSTED."""
        with self._kernel.database.transaction() as connection:
            row = connection.execute(
                "SELECT c.method FROM callbacks c JOIN executions e ON e.name=c.execution"
                " WHERE c.id=? AND c.execution=? AND e.state IN (?, ?)",
                (callback, execution, *UNFINISHED),
            ).fetchone()
            if row is None:
                raise not_found(f"Callback '{execution}/callbacks/{callback}' does not exist.")
            if row["method"] != request.method:
                raise WrongMethod(row["method"])
            taken = self._live[callback].taken if callback in self._live else 0
            if len(self._bodies(callback)) > taken:
                message = "The callback has a request that has not been processed yet."  # own words
                raise ServiceError(Code.RESOURCE_EXHAUSTED, message)
            body = {**asdict(request), "body": request.body.hex()}
            connection.execute(
                "INSERT INTO callback_requests (callback, body) VALUES (?, ?)",
                (callback, json.dumps(body)),
            )
            self._kernel.database.after_commit(lambda: self._wake(callback))

    def port(self, execution: str, writer: Executor) -> "CallbackPort":
        """The port of one run of an execution; `writer` writes."""
        return CallbackPort(self, execution, self._kernel, writer)

    def add(self, execution: str, place: int, method: str) -> str:
        """The id of the endpoint that an execution makes as its `place`-th, from 0."""
        with self._kernel.database.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM callbacks WHERE execution=? AND place=? AND method=?",
                (execution, place, method),
            ).fetchone()
            if row is not None:
                return str(row["id"])
            made = str(uuid4())
            connection.execute(
                "INSERT INTO callbacks (id, execution, place, method) VALUES (?, ?, ?, ?)",
                (made, execution, place, method),
            )
            return made

    def begin(self, callback: str) -> None:
        """A run has the endpoint now; on the loop."""
        self._live[callback] = _Live()

    def end(self, callbacks: list[str]) -> None:
        """A run has ended; on the loop."""
        for callback in callbacks:
            self._live.pop(callback, None)

    async def take(self, callback: str) -> CallbackRequest:
        """The next call of an endpoint, once it is there."""
        live = self._live[callback]
        live.waiting += 1
        try:
            while True:
                live.arrived.clear()
                at = live.taken
                found = await asyncio.to_thread(self._request, callback, at)
                if found is not None and at == live.taken:
                    live.taken += 1
                    return found
                if found is None:
                    await live.arrived.wait()
        finally:
            live.waiting -= 1

    def _request(self, callback: str, at: int) -> CallbackRequest | None:
        bodies = self._bodies(callback)
        if at >= len(bodies):
            return None
        given = json.loads(bodies[at])
        return CallbackRequest(**{**given, "body": bytes.fromhex(given["body"])})

    def _bodies(self, callback: str) -> list[str]:
        rows = self._kernel.database.read().execute(
            "SELECT body FROM callback_requests WHERE callback=? ORDER BY sequence", (callback,)
        )
        return [str(row["body"]) for row in rows]

    def _listed(self, row: sqlite3.Row) -> Callback:
        live = self._live.get(row["id"], _Live())
        left = [json.loads(body) for body in self._bodies(row["id"])[live.taken :]]
        payloads = tuple(bytes.fromhex(one["body"]).decode(errors="replace") for one in left)
        return Callback(row["id"], row["method"], payloads, live.waiting)

    def _wake(self, callback: str) -> None:
        live = self._live.get(callback)
        if live is not None:
            # the loop may have ended since
            with suppress(RuntimeError):
                self._kernel.loop().call_soon_threadsafe(live.arrived.set)


class WrongMethod(Exception):  # noqa: N818  # it is a refusal with a status of its own
    """The endpoint takes another HTTP method."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class CallbackPort:
    """The interpreter's port: endpoints by their addresses."""

    def __init__(
        self, callbacks: Callbacks, execution: str, kernel: Kernel, writer: Executor
    ) -> None:
        self._callbacks = callbacks
        self._execution = execution
        self._kernel = kernel
        self._writer = writer
        self._made: dict[str, str] = {}
        self._places: dict[str, int] = defaultdict(int)

    async def create(self, method: str) -> str:
        """A new endpoint."""
        place, self._places[method] = self._places[method], self._places[method] + 1
        callback = await self._written(self._callbacks.add, self._execution, place, method)
        self._callbacks.begin(callback)
        url = f"{self._kernel.http}/v1/{self._execution}/callbacks/{callback}"
        self._made[url] = callback
        return url

    async def wait(self, url: str, seconds: float) -> CallbackRequest:
        """The next call of an endpoint."""
        if url not in self._made:
            raise UnknownCallback(url)
        call = asyncio.ensure_future(self._callbacks.take(self._made[url]))
        limit = asyncio.ensure_future(self._kernel.timers.sleep(seconds))
        try:
            await asyncio.wait((call, limit), return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                return call.result()
            raise RequestTimeout(f"no callback within {seconds:g} s")
        finally:
            for task in (call, limit):
                task.cancel()
            await asyncio.gather(call, limit, return_exceptions=True)

    def close(self) -> None:
        """The run has ended."""
        self._callbacks.end(list(self._made.values()))

    async def _written(self, work: Callable[..., str], *arguments: Any) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, work, *arguments)
