"""Builds as rows, their names, and the names of their operations."""

import base64
import re
from collections.abc import Iterator
from typing import Any

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.projects import Project, Projects
from gpupipe.localcloud.services.cloudbuild.messages import Build
from gpupipe.localcloud.store.resources import Resources

_KIND = "cloudbuild.build"
_PARENT = re.compile(r"projects/([^/]+)/locations/([a-z0-9-]+)")
_NAME = re.compile(_PARENT.pattern + r"/builds/([^/]+)")


class Builds:
    """Kept under projects/ID/locations/L/builds/B; shown with the project's number, as on Google.

    That names come back with the number is own knowledge (wire.md §7 says so of names in general).
    """

    def __init__(self, resources: Resources, projects: Projects) -> None:
        self._resources = resources
        self._projects = projects

    def parent(self, name: str, project_id: str) -> tuple[Project, str]:
        """(project, location) of a request: its parent, or the project at `global`."""
        match = _PARENT.fullmatch(name or f"projects/{project_id}/locations/global")
        project = self._projects.get(match[1]) if match else None
        if match is None or project is None:
            raise invalid_argument(
                f"Invalid parent {name!r}: expected projects/PROJECT/locations/LOCATION.", "parent"
            )
        return project, match[2]

    def own_name(self, name: str, project_id: str, build_id: str) -> str:
        """The key of a build that a request names in full, or by project and id (at `global`)."""
        match = _NAME.fullmatch(name or f"projects/{project_id}/locations/global/builds/{build_id}")
        project = self._projects.get(match[1]) if match else None
        if match is None or project is None:
            raise invalid_argument(f"Invalid build name {name!r}.", "name")
        return f"{project.name}/locations/{match[2]}/builds/{match[3]}"

    def key(self, build: Any) -> str:
        """The key of a build."""
        return self.own_name(build.name, "", "")

    def get(self, key: str) -> Any:
        """The build, or NOT_FOUND."""
        record = self._resources.get(_KIND, key)
        if record is None:
            raise not_found(f"Build {key} was not found.")  # own words
        return Build.FromString(record.body)

    def put(self, build: Any) -> None:
        """Create or replace."""
        key = self.key(build)
        parent = key.rpartition("/builds/")[0]
        self._resources.put(_KIND, key, parent, build.SerializeToString())

    def of(self, parent: str) -> Iterator[Any]:
        """All builds of a location."""
        return (Build.FromString(row.body) for row in self._resources.all(_KIND, parent))


def operation_name(project: Project, location: str, build_id: str) -> str:
    """The operation of a build; its last part says which build it is."""
    encoded = base64.urlsafe_b64encode(build_id.encode()).decode().rstrip("=")
    if location == "global":
        return f"operations/build/{project.id}/{encoded}"
    return f"{project.name}/locations/{location}/operations/{encoded}"
