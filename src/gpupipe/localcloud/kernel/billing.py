"""Which billing account pays for a project. A project of the local cloud has one from the start."""

from gpupipe.localcloud.store.database import Database

_SCHEMA = """CREATE TABLE IF NOT EXISTS billing (
    project TEXT PRIMARY KEY, account TEXT NOT NULL)"""
ACCOUNT = "billingAccounts/000000-000000-000000"
"""The one account that there is; nobody is charged."""
# Own knowledge (UNSURE): the APIs that a project without billing may neither enable nor call.
NEEDS_BILLING = frozenset(
    f"{name}.googleapis.com"
    for name in ("aiplatform", "artifactregistry", "cloudbuild", "compute", "run", "secretmanager")
)


class Billing:
    """Links between projects and the account."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_SCHEMA)

    def account(self, project: str) -> str:
        """The account that pays for a project (its id), "" when billing is disabled."""
        row = self._database.read().execute(
            "SELECT account FROM billing WHERE project=?", (project,)
        )
        found = row.fetchone()
        return ACCOUNT if found is None else str(found["account"])

    def link(self, project: str, account: str) -> None:
        """Let an account pay for a project; "" disables billing."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO billing VALUES (?, ?)", (project, account))
