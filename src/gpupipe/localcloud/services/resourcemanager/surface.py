"""Resource Manager's surface."""

from collections.abc import Iterable

from google.cloud import resourcemanager_v3 as rm
from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.resourcemanager.service import GET, Projects
from gpupipe.localcloud.services.resourcemanager.v1 import LIST, ProjectsV1
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.resourcemanager.v3.Projects", "cloudresourcemanager.googleapis.com")


class ResourceManager(BaseSurface):
    """google.cloud.resourcemanager.v3.Projects, and what gcloud needs of v1."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline) -> None:
        self._projects = Projects(kernel)
        self._v1 = ProjectsV1(kernel, pipeline, self._projects)
        self._policies = PolicyMethods(
            kernel, "resourcemanager.projects", self._projects.policy_name
        )

    def rpcs(self) -> Iterable[Rpc]:
        """Reading projects, and their policies."""
        do = self._projects
        yield _TABLE.row("GetProject", (rm.GetProjectRequest, rm.Project), do.get, GET, "name")
        types = (rm.SearchProjectsRequest, rm.SearchProjectsResponse)
        yield _TABLE.row("SearchProjects", types, do.search, "", lambda _: "")
        yield from self._policies.rows(_TABLE)

    def routes(self) -> Iterable[BaseRoute]:
        """Those of v1."""
        return self._v1.routes()

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows, and the list of v1."""
        yield from super().fault_points()
        yield FaultPoint(LIST)

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also that of the list, which shows what the caller may see."""
        yield from super().permissions()
        yield LIST, ""


def build(kernel: Kernel, pipeline: Pipeline) -> ResourceManager:
    """The factory for `registry.SERVICES`."""
    return ResourceManager(kernel, pipeline)
