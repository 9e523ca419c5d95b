"""Names of Cloud Quotas: all below projects/P/locations/global."""

import re

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.projects import Project, Projects

_GLOBAL = "projects/([^/]+)/locations/global"


def parse(
    projects: Projects, name: str, pattern: str, path: str = "name"
) -> tuple[Project, tuple[str, ...]]:
    """The project and the groups of the pattern for what comes after `global`."""
    match = re.fullmatch(_GLOBAL + pattern, name)
    if match is None:
        raise invalid_argument(
            f"Invalid name {name!r}: expected projects/PROJECT/locations/global...", path
        )
    project = projects.get(match[1])
    if project is None:
        raise not_found(f"Project {match[1]} was not found.")
    return project, match.groups()[1:]
