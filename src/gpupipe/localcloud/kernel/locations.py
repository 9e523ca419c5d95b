"""Names of the form projects/P/locations/L and below, with the project's id in them."""

import re

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.projects import Projects

_LOCATION = r"projects/([^/]+)/locations/([a-z0-9-]+)"


def location(projects: Projects, name: str) -> str:
    """projects/P/locations/L, whichever of id and number the name has."""
    return _own(projects, name, _LOCATION, "projects/PROJECT/locations/LOCATION")


def below(projects: Projects, name: str, collection: str) -> str:
    """projects/P/locations/L/COLLECTION/ID, likewise."""
    form = f"projects/PROJECT/locations/LOCATION/{collection}/ID"
    return _own(projects, name, rf"{_LOCATION}/{collection}/[^/]+", form)


def _own(projects: Projects, name: str, pattern: str, form: str) -> str:
    match = re.fullmatch(pattern, name)
    if match is None or match[2] == "-":
        raise invalid_argument(f"Invalid name {name!r}: expected {form}.", "name")
    project = projects.get(match[1])
    if project is None:
        raise invalid_argument(f"Project {match[1]} does not exist.", "name")
    return name.replace(f"projects/{match[1]}", project.name, 1)
