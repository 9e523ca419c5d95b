"""Service accounts as rows: made, found, changed, deleted. Others ask `Identity` for them."""

import re
import secrets
import sqlite3
from dataclasses import dataclass

from gpupipe.localcloud.errors import (
    Code,
    Details,
    ServiceError,
    already_exists,
    invalid_argument,
    not_found,
)
from gpupipe.localcloud.kernel.delays import Delays
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS accounts (
    email TEXT PRIMARY KEY, project TEXT NOT NULL, unique_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL, description TEXT NOT NULL, disabled INTEGER NOT NULL)"""
# gcp-facts §6: 6 to 30 characters, [a-z]([-a-z0-9]*[a-z0-9])
_ID = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_UNIQUE_DIGITS = 21
# gcp-facts §6, own knowledge: UNSURE. Text and pause: kubeflow/pipelines#1052.
_MOST = 100
_TRY_AGAIN_S = 86_401.0
_SCOPE = "accounts"


@dataclass(frozen=True, slots=True)
class Account:
    """One service account; `project` is the project's id, `unique_id` has 21 digits."""

    email: str
    project: str
    unique_id: str
    disabled: bool = False
    display_name: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """The resource name, on which actAs and tokens are granted."""
        return f"projects/{self.project}/serviceAccounts/{self.email}"


class Accounts:
    """The service accounts of all projects; a new one is found once it is visible."""

    def __init__(self, database: Database, policies: Policies, delays: Delays) -> None:
        self._database = database
        self._policies = policies
        self._delays = delays
        database.define(_SCHEMA)

    def find(self, email_or_id: str) -> Account | None:
        """By address, or by unique id; None also for one that is not visible yet."""
        account = self._stored(email_or_id)
        if account is None or account.email in self._delays.waiting(_SCOPE):
            return None
        return account

    def _stored(self, email_or_id: str) -> Account | None:
        row = (
            self._database.read()
            .execute(
                "SELECT * FROM accounts WHERE email=? OR unique_id=?", (email_or_id, email_or_id)
            )
            .fetchone()
        )
        return None if row is None else _account(row)

    def of_project(self, project: str) -> tuple[Account, ...]:
        """All of a project that are visible, by address."""
        rows = self._database.read().execute(
            "SELECT * FROM accounts WHERE project=? ORDER BY email", (project,)
        )
        waiting = self._delays.waiting(_SCOPE)
        return tuple(_account(row) for row in rows if row["email"] not in waiting)

    def create(
        self, project: str, account_id: str, display_name: str = "", description: str = ""
    ) -> Account:
        """A new account; ALREADY_EXISTS, INVALID_ARGUMENT for a bad id, RESOURCE_EXHAUSTED."""
        if not _ID.fullmatch(account_id):
            # own words
            raise invalid_argument(
                f"The account ID {account_id!r} is not valid: it takes 6 to 30 lower-case letters, "
                "digits and hyphens, a letter first and no hyphen last.",
                "account_id",
            )
        email = f"{account_id}@{project}.iam.gserviceaccount.com"
        unique_id = "1" + "".join(secrets.choice("0123456789") for _ in range(_UNIQUE_DIGITS - 1))
        account = Account(
            email, project, unique_id, display_name=display_name, description=description
        )
        with self._database.transaction() as connection:
            if self._stored(email) is not None:
                # gcp-facts §6
                raise already_exists(
                    f"Service account {account_id} already exists within project "
                    f"projects/{project}."
                )
            self._check_limit(project)
            connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, 0)",
                (email, project, unique_id, display_name, description),
            )
            self._delays.begin(_SCOPE, email)
        return account

    def update(
        self,
        email: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Change what is given; NOT_FOUND for an account that is not there."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE accounts SET display_name=coalesce(?, display_name), "
                "description=coalesce(?, description), disabled=coalesce(?, disabled) "
                "WHERE email=?",
                (display_name, description, disabled, email),
            )
            return self.require(email)

    def delete(self, email: str) -> Account:
        """Remove it: bindings show it as deleted, its own policy goes; NOT_FOUND when not there."""
        with self._database.transaction() as connection:
            account = self.require(email)
            connection.execute("DELETE FROM accounts WHERE email=?", (account.email,))
            self._policies.mark_deleted_member(account.email, account.unique_id)
            self._policies.delete(account.name)
        return account

    def _check_limit(self, project: str) -> None:
        found = self._database.read().execute(
            "SELECT count(*) FROM accounts WHERE project=?", (project,)
        )
        if found.fetchone()[0] >= _MOST:
            raise ServiceError(
                Code.RESOURCE_EXHAUSTED,
                "Maximum number of service accounts on project reached.",
                Details(retry_after_s=_TRY_AGAIN_S),
            )

    def require(self, email: str) -> Account:
        """The account, or NOT_FOUND."""
        account = self.find(email)
        if account is None:
            # gcp-facts §6
            raise not_found("Unknown service account")
        return account


def _account(row: sqlite3.Row) -> Account:
    return Account(
        row["email"],
        row["project"],
        row["unique_id"],
        bool(row["disabled"]),
        row["display_name"],
        row["description"],
    )
