"""Projects: their numbers, and which APIs are enabled on each.

Local rule: the daemon hosts any number of projects, and a valid id that it has not seen becomes a
project on the operator's first call for it (the pipeline calls `ensure`). A project's number is
derived from its id, so it is the same after a reset.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gpupipe.core.clock import Clock
from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.delays import Delays
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS projects (
        id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, state TEXT NOT NULL,
        create_time TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS enabled_apis (
        project TEXT NOT NULL, api TEXT NOT NULL, PRIMARY KEY (project, api))""",
)
# "6 to 30 lowercase letters, digits, or hyphens", a letter first, no hyphen last
# (google.cloud.resourcemanager_v3 Project.project_id).
_ID = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_NUMBER_FLOOR = 100_000_000_000
_NUMBER_SPAN = 900_000_000_000


@dataclass(frozen=True, slots=True)
class Project:
    """One project; `number` has twelve digits, `state` is a name of Project.State."""

    id: str
    number: int
    state: str
    create_time: datetime

    @property
    def name(self) -> str:
        """The resource name with the id, as policies and parents are stored here."""
        return f"projects/{self.id}"


class Projects:
    """The projects of one local cloud."""

    def __init__(self, database: Database, clock: Clock, delays: Delays) -> None:
        self._database = database
        self._clock = clock
        self._delays = delays
        self._created: list[Callable[[Project], None]] = []
        database.define(*_SCHEMA)

    def on_create(self, hook: Callable[[Project], None]) -> None:
        """Call `hook` for each new project, in the transaction that creates it."""
        self._created.append(hook)

    def ensure(self, project_id: str) -> Project:
        """The project of that id, created when it is new; INVALID_ARGUMENT for a bad id."""
        found = self.get(project_id)
        if found is not None:
            return found
        if not is_project_id(project_id):
            raise invalid_argument(f"Project id '{project_id}' is not valid.", "project_id")
        with self._database.transaction() as connection:
            # Another thread may have been first; the write lock decides.
            found = self.get(project_id)
            if found is not None:
                return found
            project = Project(project_id, self._number(project_id), "ACTIVE", self._clock.now())
            connection.execute(
                "INSERT INTO projects VALUES (?, ?, ?, ?)",
                (project.id, project.number, project.state, project.create_time.isoformat()),
            )
            for hook in self._created:
                hook(project)
        return project

    def get(self, id_or_number: str) -> Project | None:
        """The project by its id or its number in decimal, or None."""
        column = "number" if id_or_number.isdecimal() else "id"
        row = (
            self._database.read()
            .execute(f"SELECT * FROM projects WHERE {column}=?", (id_or_number,))  # noqa: S608
            .fetchone()
        )
        return None if row is None else _project(*row)

    def all(self) -> tuple[Project, ...]:
        """Every project, by id."""
        rows = self._database.read().execute("SELECT * FROM projects ORDER BY id").fetchall()
        return tuple(_project(*row) for row in rows)

    def enabled_apis(self, project_id: str) -> frozenset[str]:
        """The APIs that are enabled on a project, by host name ("run.googleapis.com")."""
        rows = self._database.read().execute(
            "SELECT api FROM enabled_apis WHERE project=?", (project_id,)
        )
        return frozenset(api for (api,) in rows)

    def is_enabled(self, project_id: str, api: str) -> bool:
        """Whether one API is enabled on a project."""
        row = (
            self._database.read()
            .execute("SELECT 1 FROM enabled_apis WHERE project=? AND api=?", (project_id, api))
            .fetchone()
        )
        return row is not None

    def is_usable(self, project_id: str, api: str) -> bool:
        """Whether calls of an API are let through: it is enabled, and that is known everywhere."""
        return self.is_enabled(project_id, api) and api not in self._delays.waiting(
            _scope(project_id)
        )

    def enable(self, project_id: str, api: str) -> None:
        """Enable an API for a caller: it is usable after the propagation delay."""
        if not self.is_enabled(project_id, api):
            self.set_enabled(project_id, api, enabled=True)
            self._delays.begin(_scope(project_id), api)

    def set_enabled(self, project_id: str, api: str, *, enabled: bool) -> None:
        """Enable or disable an API with effect at once; no change when it is so already."""
        statement = (
            "INSERT OR IGNORE INTO enabled_apis (project, api) VALUES (?, ?)"
            if enabled
            else "DELETE FROM enabled_apis WHERE project=? AND api=?"
        )
        with self._database.transaction() as connection:
            connection.execute(statement, (project_id, api))
            self._delays.end(_scope(project_id), api)

    def _number(self, project_id: str) -> int:
        digest = hashlib.sha256(project_id.encode()).digest()
        number = _NUMBER_FLOOR + int.from_bytes(digest[:8]) % _NUMBER_SPAN
        while self.get(str(number)) is not None:
            number = _NUMBER_FLOOR + (number + 1 - _NUMBER_FLOOR) % _NUMBER_SPAN
        return number


def is_project_id(text: str) -> bool:
    """Whether text has the form of a project id."""
    return _ID.fullmatch(text) is not None


def _scope(project_id: str) -> str:
    return f"apis:{project_id}"


def _project(id_: str, number: int, state: str, create_time: str) -> Project:
    return Project(id_, number, state, datetime.fromisoformat(create_time))
