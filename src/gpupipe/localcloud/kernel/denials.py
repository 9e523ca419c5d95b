"""Permissions that were taken from the operator by hand, although a role grants them.

For trying out what a person with fewer rights would see. An entry is a permission
("run.services.create") or a role, which stands for each permission that it grants.
"""

import difflib
from dataclasses import dataclass

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.roles import ROLES, grants
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS denials (
    project TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (project, name))"""
ALL_PROJECTS = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """What is denied ("run.services.create", "roles/run.admin"), in one project or in all ("")."""

    project: str
    name: str


def check_name(name: str) -> None:
    """INVALID_ARGUMENT for what is neither a role nor a permission of one, with what is close."""
    known = {one for permissions in ROLES.values() for one in permissions} | set(ROLES)
    if name not in known - {"*"}:
        near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
        hint = f" Close to it: {', '.join(near)}." if near else ""
        raise invalid_argument(f"{name} is no role or permission that is emulated.{hint}", "name")


class Denials:
    """What the operator lacks, asked by the authorizer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)

    def denies(self, permission: str, project: str) -> bool:
        """Whether the operator lacks a permission in a project (its id)."""
        return any(
            denial.name == permission or grants(denial.name, permission)
            for denial in self.all()
            if denial.project in {ALL_PROJECTS, project}
        )

    def revoke(self, denial: Denial) -> None:
        """Put one in force."""
        with self._database.transaction() as connection:
            row = (denial.project, denial.name)
            connection.execute("INSERT OR IGNORE INTO denials VALUES (?, ?)", row)

    def restore(self, denial: Denial) -> bool:
        """End one; False when it was not in force."""
        with self._database.transaction() as connection:
            done = connection.execute(
                "DELETE FROM denials WHERE project=? AND name=?", (denial.project, denial.name)
            )
        return done.rowcount > 0

    def all(self) -> tuple[Denial, ...]:
        """Those in force, by project and name."""
        rows = self._database.read().execute(
            "SELECT project, name FROM denials ORDER BY project, name"
        )
        return tuple(Denial(row["project"], row["name"]) for row in rows)
