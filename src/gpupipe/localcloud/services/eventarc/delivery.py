"""From an object's event to a run of the workflow: at least once, whatever happens in between.

What is to be delivered is written in the transaction that made the object, and removed once the run
is stored. A run that is refused is tried again as Pub/Sub does it: after 10 s, doubling up to
600 s, for 24 hours. (Here an event that came before a crash may start a second run; so may
Google's.) A new trigger gets no events before `Behaviour.propagation_s` is over.
"""

import json
import logging
import sqlite3
import threading
from typing import Any

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition
from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.kernel.authorization import denied
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.events import Event
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.kernel.faults import FaultPoint, Kind
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc import carriers
from gpupipe.localcloud.services.eventarc.carriers import FIRST_PAUSE_S, KEPT_S, LONGEST_PAUSE_S
from gpupipe.localcloud.services.eventarc.rules import KIND, Trigger, filters

_SCHEMA = """CREATE TABLE IF NOT EXISTS eventarc_deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, trigger_name TEXT NOT NULL, event TEXT NOT NULL,
    due REAL NOT NULL, pause REAL NOT NULL, ends REAL NOT NULL)"""
EVENTS = FaultPoint("eventarc.events.deliver", frozenset({Kind.DUPLICATE}))
_LARGEST = 512 * 1024
_BATCH = 50
_CREATE = "workflows.executions.create"
_RECEIVE = "eventarc.events.receiveEvent"
_CREATE_EXECUTION = "google.cloud.workflows.executions.v1.Executions.CreateExecution"
_EXECUTIONS = "workflowexecutions.googleapis.com"
_END_S = 10
_logger = logging.getLogger("gpupipe.localcloud")


class Delivery:
    """The rows that wait, and the thread that works on them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._changed = threading.Condition()
        self._woken = self._stopping = False
        self._thread: threading.Thread | None = None
        kernel.database.define(_SCHEMA)
        kernel.events.register(self.record, self.wake)
        kernel.clock.on_move(self.wake)

    def record(self, connection: sqlite3.Connection, event: Event) -> None:
        """Note an event for each trigger that it matches, in the object's own transaction."""
        text = json.dumps(event, ensure_ascii=False)
        now = self._kernel.clock.now().timestamp()
        early = self._kernel.delays.waiting(KIND)
        for record in self._kernel.resources.all(KIND):
            trigger = Trigger.FromString(record.body)
            wanted = filters(trigger).items()
            if record.name in early or any(event.get(name) != value for name, value in wanted):
                continue
            if reason := self._why_lost(trigger, text):
                self._log(record.name, f"The event is not delivered: {reason}.")
                continue
            row = (record.name, text, now, FIRST_PAUSE_S, now + KEPT_S)
            connection.executemany(
                "INSERT INTO eventarc_deliveries (trigger_name, event, due, pause, ends)"
                " VALUES (?, ?, ?, ?, ?)",
                [row] * self._copies(),
            )

    def _why_lost(self, trigger: Any, text: str) -> str:
        """Why an event never gets to its trigger ("" when it does); on Google nothing tells it."""
        if len(text.encode()) > _LARGEST:
            return "it is larger than 512 KB"
        if not carriers.carries(self._kernel, trigger):
            return (
                "the bucket's notification, the topic or the subscription is gone, or Cloud Storage "
                "may not publish to the topic"
            )
        return ""

    def _copies(self) -> int:
        """How often the next event is delivered: twice, where a fault says so."""
        return 1 if self._kernel.faults.take(EVENTS.method, EVENTS.kinds) is None else 2

    def forget(self, trigger: str) -> None:
        """Drop what waits for a trigger."""
        with self._kernel.database.transaction() as connection:
            connection.execute("DELETE FROM eventarc_deliveries WHERE trigger_name=?", (trigger,))

    def wake(self) -> None:
        """There may be something to deliver."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def start(self) -> None:
        """Deliver in a thread, beginning with what waits already."""
        self._stopping, self._woken = False, True
        self._thread = threading.Thread(target=self._work, name="eventarc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_END_S)
            self._thread = None

    def deliver_due(self) -> float | None:
        """Deliver all that is due; seconds until the next one is, None when nothing waits."""
        while rows := self._due():
            for row in rows:
                if self._stopping:
                    return None
                self._deliver(row)
        found = self._kernel.database.read().execute("SELECT min(due) FROM eventarc_deliveries")
        first = found.fetchone()[0]
        return None if first is None else max(0.0, first - self._kernel.clock.now().timestamp())

    def _work(self) -> None:
        while True:
            try:
                pause = self.deliver_due()
            except Exception as error:  # noqa: BLE001  # the supervisor of all deliveries
                log_failure("eventarc", error)
                pause = FIRST_PAUSE_S
            with self._changed:
                if not (self._woken or self._stopping):
                    self._changed.wait(pause)
                self._woken = False
                if self._stopping:
                    return

    def _due(self) -> list[sqlite3.Row]:
        now = self._kernel.clock.now().timestamp()
        found = self._kernel.database.read().execute(
            "SELECT * FROM eventarc_deliveries WHERE due<=? ORDER BY sequence LIMIT ?",
            (now, _BATCH),
        )
        return found.fetchall()

    def _deliver(self, row: sqlite3.Row) -> None:
        try:
            self._hand_over(row)
        except ServiceError as error:
            self._later(row, error)
        except Exception as error:  # noqa: BLE001  # one bad row must not hold up the others
            self._later(
                row, internal(log_failure(f"the delivery for {row['trigger_name']}", error))
            )

    def _hand_over(self, row: sqlite3.Row) -> None:
        with self._kernel.database.transaction() as connection:
            done = connection.execute(
                "DELETE FROM eventarc_deliveries WHERE sequence=?", (row["sequence"],)
            )
            record = self._kernel.resources.get(KIND, row["trigger_name"])
            # Both may have gone since the row was read: the trigger was deleted, or all reset.
            if done.rowcount and record is not None:
                trigger = Trigger.FromString(record.body)
                if carriers.keeps(self._kernel, trigger):
                    self._start(trigger, row["event"])

    def _start(self, trigger: Any, event: str) -> None:
        account = self._kernel.identity.account(trigger.service_account)
        if account is None or account.disabled:
            raise ServiceError(
                Code.PERMISSION_DENIED, f"Service account {trigger.service_account} is not usable."
            )
        project = trigger.name.split("/")[1]
        workflow = trigger.destination.workflow
        if not self._kernel.projects.is_enabled(project, _EXECUTIONS):
            raise failed_precondition(f"{_EXECUTIONS} is not enabled.")
        member = f"serviceAccount:{account.email}"
        for permission, resource in ((_RECEIVE, f"projects/{project}"), (_CREATE, workflow)):
            if not self._kernel.authorizer.allowed(member, permission, resource):
                raise denied(permission, resource)
        self._kernel.workflow_runs.start(workflow, event)
        call = Audited(_CREATE, _CREATE_EXECUTION, lambda: Target(workflow))
        self._kernel.audit.write(project, _EXECUTIONS, Caller(member), call, None)

    def _later(self, row: sqlite3.Row, error: ServiceError) -> None:
        now = self._kernel.clock.now().timestamp()
        over = now + row["pause"] > row["ends"]
        with self._kernel.database.transaction() as connection:
            if over:
                connection.execute(
                    "DELETE FROM eventarc_deliveries WHERE sequence=?", (row["sequence"],)
                )
            else:
                connection.execute(
                    "UPDATE eventarc_deliveries SET due=?, pause=? WHERE sequence=?",
                    (now + row["pause"], min(row["pause"] * 2, LONGEST_PAUSE_S), row["sequence"]),
                )
        what = "dropped" if over else f"tried again in {row['pause']:.0f} s"
        text = f"The event was not delivered and is {what}: {error.message}"
        self._log(row["trigger_name"], text)

    def _log(self, trigger: str, text: str) -> None:
        _logger.warning("%s: %s", trigger, text)
        _, project, _, location, _, trigger_id = trigger.split("/")
        self._kernel.logs.write(
            f"projects/{project}/logs/eventarc.googleapis.com%2Fdelivery",
            "eventarc.googleapis.com/Trigger",
            {"trigger_id": trigger_id, "location": location},
            "ERROR",
            text,
        )
