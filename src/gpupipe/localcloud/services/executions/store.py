"""Executions in the database: each with the revision of its workflow that it runs."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from google.cloud.workflows import executions_v1 as pb

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.workflow_runs import Workflow
from gpupipe.localcloud.store.database import Database
from gpupipe.localcloud.transport.rows import raw

Execution = raw(pb.Execution)
UNFINISHED = (int(pb.Execution.State.ACTIVE), int(pb.Execution.State.QUEUED))
"""The states of executions that have not ended."""
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS executions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL, state INTEGER NOT NULL, body BLOB NOT NULL,
        revision BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS executions_by_workflow ON executions (workflow, sequence)",
)
_LAST = 2**62


class Store:
    """The table of executions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(*_SCHEMA)

    def insert(self, execution: Any, workflow: Any) -> None:
        """Keep a new execution."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO executions (name, workflow, state, body, revision)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    execution.name,
                    workflow.name,
                    execution.state,
                    execution.SerializeToString(),
                    workflow.SerializeToString(),
                ),
            )

    def get(self, name: str) -> Any:
        """An execution, or NOT_FOUND."""
        return Execution.FromString(self._row(name)["body"])

    def with_revision(self, name: str) -> tuple[Any, Any]:
        """An execution and the workflow as it was when it was created, or NOT_FOUND."""
        row = self._row(name)
        return Execution.FromString(row["body"]), Workflow.FromString(row["revision"])

    def change_unfinished(self, name: str, change: Callable[[Any], None]) -> bool:
        """Change an execution that has not ended; False where it has, or is gone."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT body FROM executions WHERE name=? AND state IN (?, ?)",
                (name, *UNFINISHED),
            ).fetchone()
            if row is None:
                return False
            execution = Execution.FromString(row["body"])
            change(execution)
            connection.execute(
                "UPDATE executions SET state=?, body=? WHERE name=?",
                (execution.state, execution.SerializeToString(), name),
            )
            return True

    def unfinished(self, workflow: str | None = None) -> list[str]:
        """Names of those that have not ended, oldest first."""
        rows = self._database.read().execute(
            "SELECT name FROM executions WHERE state IN (?, ?) AND workflow=coalesce(?, workflow)"
            " ORDER BY sequence",
            (*UNFINISHED, workflow),
        )
        return [str(row["name"]) for row in rows]

    def newest_first(self, workflow: str, before: int = _LAST) -> Iterator[tuple[int, Any]]:
        """The executions of a workflow with their sequence numbers, those below `before`."""
        rows = self._database.read().execute(
            "SELECT sequence, body FROM executions WHERE workflow=? AND sequence<?"
            " ORDER BY sequence DESC",
            (workflow, before),
        )
        return ((row["sequence"], Execution.FromString(row["body"])) for row in rows)

    def of_project(self, project: str) -> Iterator[Any]:
        """All executions of a project."""
        rows = self._database.read().execute(
            "SELECT body FROM executions WHERE workflow GLOB ?", (f"projects/{project}/*",)
        )
        return (Execution.FromString(row["body"]) for row in rows)

    def delete(self, workflow: str) -> None:
        """Remove every execution of a workflow."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM executions WHERE workflow=?", (workflow,))

    def _row(self, name: str) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.read()
            .execute("SELECT * FROM executions WHERE name=?", (name,))
            .fetchone()
        )
        if row is None:
            raise not_found(f"Execution '{name}' does not exist.")  # own words
        return row
