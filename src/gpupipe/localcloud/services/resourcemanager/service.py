"""google.cloud.resourcemanager.v3.Projects: the handlers. Names come back with the number."""

from typing import Any

from google.cloud import resourcemanager_v3

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.authorization import denied
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

GET = "resourcemanager.projects.get"
_STATES = {"ACTIVE": 1, "DELETE_REQUESTED": 2}  # resourcemanager_v3 Project.State
_QUERIES = ("id:", "projectId:", "projectId=")


class Projects:
    """Get and search; projects come into being by the operator's first call for an id."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, request: Any, _: Call) -> Any:
        """GetProject, by id or by number."""
        return _message(self.existing(request.name))

    def search(self, request: Any, call: Call) -> Any:
        """SearchProjects: those that the caller may see; `id:ID` is the only query."""
        wanted = _queried(request.query)
        allowed = self._kernel.authorizer.allowed
        seen = [
            project
            for project in self._kernel.projects.all()
            if wanted in {"", project.id} and allowed(call.caller.member, GET, project.name)
        ]
        page, token = page_of(seen, lambda one: one.id, request.page_size, request.page_token)
        return raw(resourcemanager_v3.SearchProjectsResponse)(
            projects=[_message(project) for project in page], next_page_token=token
        )

    def policy_name(self, resource: str) -> str:
        """The name that a project's policy is kept under: with its id."""
        return self.existing(resource).name

    def existing(self, name: str) -> Project:
        """The project of a resource name, by id or number; PERMISSION_DENIED when there is none."""
        kind, _, named = name.partition("/")
        if kind != "projects" or not named or "/" in named:
            raise invalid_argument(
                f"Invalid project name {name!r}: expected projects/ID or projects/NUMBER.", "name"
            )
        project = self._kernel.projects.get(named)
        if project is None:
            # Whether a project exists is nobody's business who may not see it.
            raise denied(GET, name)
        return project


def _queried(query: str) -> str:
    if not query:
        return ""
    for start in _QUERIES:
        if query.startswith(start) and " " not in query:
            return query.removeprefix(start).strip('"')
    raise unimplemented(f"the project query {query!r}")


def _message(project: Project) -> Any:
    message = raw(resourcemanager_v3.Project)(
        name=f"projects/{project.number}",
        project_id=project.id,
        display_name=project.id,
        state=_STATES[project.state],
    )
    message.create_time.FromDatetime(project.create_time)
    message.update_time.FromDatetime(project.create_time)
    return message
