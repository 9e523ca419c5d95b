"""The runner stores an end for every execution, whatever stands in its way."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.executions.callbacks import Callbacks
from gpupipe.localcloud.services.executions.history import Histories
from gpupipe.localcloud.services.executions.runner import Runner
from gpupipe.localcloud.services.executions.store import Execution

NAME = "projects/p/locations/r/workflows/w/executions/e"


class Store:
    """One execution that cannot be read, and a disk that is full at first."""

    def __init__(self, full: int) -> None:
        self.execution = Execution(name=NAME, state=pb.Execution.State.ACTIVE)
        self.full = full
        self.stored = threading.Event()

    def with_revision(self, name: str) -> Any:
        raise ServiceError(Code.UNAVAILABLE, "not now")

    def change_unfinished(self, name: str, change: Callable[[Any], None]) -> bool:
        if self.full:
            self.full -= 1
            raise sqlite3.OperationalError("database or disk is full")
        change(self.execution)
        self.stored.set()
        return True


async def run_to_its_end(kernel: Kernel, store: Any) -> None:
    kernel.loop = asyncio.get_running_loop
    histories = Histories(kernel.log_database, kernel.clock)
    Runner(kernel, store, Callbacks(kernel), histories, again_s=0).begin(NAME)
    assert await asyncio.to_thread(store.stored.wait, 20)


def test_an_execution_that_cannot_be_read_fails(kernel: Kernel) -> None:
    store = Store(full=0)
    asyncio.run(run_to_its_end(kernel, store))
    assert store.execution.state == pb.Execution.State.FAILED
    assert json.loads(store.execution.error.payload) == {
        "message": "SystemError: not now",
        "tags": ["SystemError"],
    }


def test_an_end_that_a_full_disk_refused_is_stored_later(kernel: Kernel) -> None:
    store = Store(full=2)
    asyncio.run(run_to_its_end(kernel, store))
    assert store.execution.state == pb.Execution.State.FAILED
