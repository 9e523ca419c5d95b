"""Resource names of Cloud Run, taken apart and put together."""

import re
from dataclasses import dataclass

from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument
from gpupipe.localcloud.kernel.regions import REGIONS

API = "run.googleapis.com"
_LOCATION = re.compile(r"projects/([^/]+)/locations/([a-z0-9-]+)")
_SERVICE = re.compile(_LOCATION.pattern + r"/services/([^/]+)")
_REVISION = re.compile(_SERVICE.pattern + r"/revisions/([^/]+)")


@dataclass(frozen=True, slots=True)
class ServiceName:
    """projects/P/locations/R/services/S."""

    project: str
    region: str
    service: str

    @property
    def location(self) -> str:
        """The parent."""
        return f"projects/{self.project}/locations/{self.region}"

    def __str__(self) -> str:
        return f"{self.location}/services/{self.service}"


def location(parent: str) -> tuple[str, str]:
    """(project, region) of a parent; "-" is not a location here (run_v2 ListServicesRequest)."""
    match = _LOCATION.fullmatch(parent)
    if match is None or match[2] == "-":
        raise invalid_argument(
            f"Invalid parent {parent!r}: expected projects/PROJECT/locations/LOCATION "
            "with a concrete location.",
            "parent",
        )
    return match[1], match[2]


def check_region(region: str) -> None:
    """PERMISSION_DENIED for a region that Cloud Run is not in."""
    if region not in REGIONS:
        raise ServiceError(
            Code.PERMISSION_DENIED,
            f"Permission denied on 'locations/{region}' (or it may not exist)",
        )


def service_name(name: str) -> ServiceName:
    """The parts of a service's name; INVALID_ARGUMENT for any other form."""
    match = _SERVICE.fullmatch(name)
    if match is None:
        raise invalid_argument(f"Invalid service name {name!r}.", "name")
    return ServiceName(*match.groups())


def revision_parts(name: str) -> tuple[str, str]:
    """(service's name, revision's short name); INVALID_ARGUMENT for any other form."""
    if _REVISION.fullmatch(name) is None:
        raise invalid_argument(f"Invalid revision name {name!r}.", "name")
    service, _, revision = name.rpartition("/revisions/")
    return service, revision
