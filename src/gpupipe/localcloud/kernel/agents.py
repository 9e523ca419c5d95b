"""Google's service agents: accounts that a project's APIs act as.

An agent exists once its identity was generated (Service Usage, or Cloud Storage's own method); it
then has its role in the project policy. Addresses and roles: gcp-facts §5 and §6.
"""

from dataclasses import dataclass

from gpupipe.localcloud.errors import failed_precondition
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.kernel.projects import Project, Projects
from gpupipe.localcloud.store.database import Database

_SCHEMA = "CREATE TABLE IF NOT EXISTS agents (email TEXT PRIMARY KEY, api TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class _Kind:
    domain: str
    role: str | None


_KINDS = {
    "artifactregistry.googleapis.com": _Kind(
        "gcp-sa-artifactregistry", "roles/artifactregistry.serviceAgent"
    ),
    "cloudbuild.googleapis.com": _Kind("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),
    "eventarc.googleapis.com": _Kind("gcp-sa-eventarc", "roles/eventarc.serviceAgent"),
    # The writer of log sinks: the role is the operator's to grant, on the sink's destination.
    "logging.googleapis.com": _Kind("gcp-sa-logging", None),
    "monitoring.googleapis.com": _Kind(
        "gcp-sa-monitoring-notification", "roles/monitoring.notificationServiceAgent"
    ),
    "pubsub.googleapis.com": _Kind("gcp-sa-pubsub", "roles/pubsub.serviceAgent"),
    "run.googleapis.com": _Kind("serverless-robot-prod", "roles/run.serviceAgent"),
    # Without a role of its own too: pubsub.publisher is for the operator to grant.
    "storage.googleapis.com": _Kind("gs-project-accounts", None),
    "workflows.googleapis.com": _Kind("gcp-sa-workflows", "roles/workflows.serviceAgent"),
}


class ServiceAgents:
    """Which agents exist, by project."""

    def __init__(self, database: Database, projects: Projects, policies: Policies) -> None:
        self._database = database
        self._projects = projects
        self._policies = policies
        database.define(_SCHEMA)

    def agent_email(self, api: str, project: str) -> str:
        """The address that an API's agent has or will have; FAILED_PRECONDITION without one."""
        kind = _KINDS.get(api)
        if kind is None:
            raise failed_precondition(f"The service {api} has no service agent.")
        number = self._project(project).number
        return f"service-{number}@{kind.domain}.iam.gserviceaccount.com"

    def has_agent(self, api: str) -> bool:
        """Whether an API has a service agent at all."""
        return api in _KINDS

    def exists(self, email: str) -> bool:
        """Whether an agent of that address was created."""
        row = self._database.read().execute("SELECT 1 FROM agents WHERE email=?", (email,))
        return row.fetchone() is not None

    def create(self, api: str, project: str) -> str:
        """Make the agent, if it is not there, and grant it its role on the project; its address."""
        email = self.agent_email(api, project)
        with self._database.transaction() as connection:
            done = connection.execute("INSERT OR IGNORE INTO agents VALUES (?, ?)", (email, api))
            role = _KINDS[api].role
            if done.rowcount and role is not None:
                name = self._project(project).name
                self._policies.grant(name, role, f"serviceAccount:{email}")
        return email

    def remove(self, api: str, project: str) -> None:
        """Take the agent away, with its roles on the project, until it is created again."""
        email = self.agent_email(api, project)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM agents WHERE email=?", (email,))
            self._leave(self._project(project).name, f"serviceAccount:{email}")

    def _leave(self, resource: str, member: str) -> None:
        policy = self._policies.get(resource)
        for binding in policy.bindings:
            binding.members[:] = [one for one in binding.members if one != member]
        self._policies.set(resource, policy, known_member=lambda _: True)

    def _project(self, project: str) -> Project:
        found = self._projects.get(project)
        if found is None:
            raise failed_precondition(f"Project {project} does not exist.")
        return found
