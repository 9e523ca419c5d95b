"""The way of an event from storage to those who deliver it, without a moment where it can be lost.

`publish` is called inside the transaction that changes the object; recorders write what they will
deliver in that same transaction, and wakers run after it has committed.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from gpupipe.localcloud.store.database import Database

Event = dict[str, Any]
Recorder = Callable[[sqlite3.Connection, Event], None]


class Events:
    """Hands CloudEvents to the registered recorders."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._registered: list[tuple[Recorder, Callable[[], None]]] = []

    def register(self, recorder: Recorder, waker: Callable[[], None]) -> None:
        """Add a recorder (in the transaction) with its waker (after the commit)."""
        self._registered.append((recorder, waker))

    def publish(self, kind: str, bucket: str, body: Event) -> None:
        """Record one complete CloudEvent of type `kind` about an object in `bucket`."""
        if (body["type"], body["bucket"]) != (kind, bucket):
            raise ValueError(f"event {body['type']} of {body['bucket']} given as {kind}, {bucket}")
        with self._database.transaction() as connection:
            for recorder, waker in self._registered:
                recorder(connection, body)
                self._database.after_commit(waker)
