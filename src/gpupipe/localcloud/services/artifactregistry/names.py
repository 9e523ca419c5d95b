"""Resource names of Artifact Registry, taken apart and put together."""

import re
from urllib.parse import quote, unquote

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.projects import Projects

_PACKAGE = re.compile(r"(.+)/packages/([^/]+)")
_MEMBER = re.compile(rf"({_PACKAGE.pattern})/(versions|tags)/([^/]+)")
_IMAGE = re.compile(r"(.+)/dockerImages/([^/@]+)@(sha256:[0-9a-f]{64})")


class Names:
    """Names with the project's id, whichever of id and number a request has."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def location(self, name: str) -> str:
        """projects/P/locations/L."""
        return locations.location(self._projects, name)

    def repository(self, name: str) -> str:
        """projects/P/locations/L/repositories/R."""
        return locations.below(self._projects, name, "repositories")

    def package(self, name: str) -> tuple[str, str]:
        """(repository, image) of .../packages/IMAGE."""
        match = _PACKAGE.fullmatch(name)
        if match is None:
            raise _invalid(name, "REPOSITORY/packages/PACKAGE")
        return self.repository(match[1]), unquote(match[2])

    def member(self, name: str, kind: str) -> tuple[str, str, str]:
        """(repository, image, tag or digest) of .../packages/IMAGE/{tags,versions}/ID."""
        match = _MEMBER.fullmatch(name)
        if match is None or match[4] != kind:
            raise _invalid(name, f"REPOSITORY/packages/PACKAGE/{kind}/ID")
        return (*self.package(match[1]), match[5])

    def docker_image(self, name: str) -> tuple[str, str, str]:
        """(repository, image, digest) of .../dockerImages/IMAGE@DIGEST."""
        match = _IMAGE.fullmatch(name)
        if match is None:
            raise _invalid(name, "REPOSITORY/dockerImages/IMAGE@sha256:DIGEST")
        return self.repository(match[1]), unquote(match[2]), match[3]


def encoded(image: str) -> str:
    """An image's name as one part of a resource name."""
    return quote(image, safe="")


def _invalid(name: str, expected: str) -> Exception:
    return invalid_argument(f"Invalid name {name!r}: expected {expected}.", "name")
