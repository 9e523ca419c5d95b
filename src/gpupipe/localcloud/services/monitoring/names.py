"""Names of Monitoring: projects/P and projects/P/COLLECTION/ID, with the project by id or number."""

import re
from uuid import uuid4

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.projects import Project, Projects

_PROJECT = re.compile(r"projects/([^/]+)")


def project_of(projects: Projects, name: str, path: str) -> Project:
    """The project of projects/P; `path` is the field that has the name."""
    match = _PROJECT.fullmatch(name)
    project = projects.get(match[1]) if match else None
    if project is None:
        raise invalid_argument(f"Invalid name {name!r}: expected projects/PROJECT.", path)
    return project


def key_of(projects: Projects, name: str, collection: str, path: str) -> str:
    """projects/ID/COLLECTION/ID: the name that a resource is kept under."""
    match = re.fullmatch(rf"({_PROJECT.pattern})/{collection}/([A-Za-z0-9_-]+)", name)
    if match is None:
        raise invalid_argument(
            f"Invalid name {name!r}: expected projects/PROJECT/{collection}/ID.", path
        )
    return f"{project_of(projects, match[1], path).name}/{collection}/{match[3]}"


def new_id() -> str:
    """An id in digits, as the server makes them."""
    return str(uuid4().int >> 65)
