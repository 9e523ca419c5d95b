"""Resource Manager's surface."""

from collections.abc import Iterable

from google.cloud import resourcemanager_v3 as rm

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.resourcemanager.service import GET, Projects
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.resourcemanager.v3.Projects", "cloudresourcemanager.googleapis.com")


class ResourceManager(BaseSurface):
    """google.cloud.resourcemanager.v3.Projects."""

    def __init__(self, kernel: Kernel) -> None:
        self._projects = Projects(kernel)
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


def build(kernel: Kernel, _: Pipeline) -> ResourceManager:
    """The factory for `registry.SERVICES`."""
    return ResourceManager(kernel)
