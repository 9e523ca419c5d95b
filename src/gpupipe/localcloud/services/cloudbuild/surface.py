"""Cloud Build's surface: wires the handlers and the builds that run."""

import shutil
from collections.abc import Iterable

from google.cloud.devtools import cloudbuild_v1 as pb
from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.kernel import act_as
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudbuild.lifecycle import Lifecycle
from gpupipe.localcloud.services.cloudbuild.service import CloudBuild, resource_of
from gpupipe.localcloud.services.cloudbuild.store import Builds
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.devtools.cloudbuild.v1.CloudBuild", "cloudbuild.googleapis.com")
_METADATA_TYPE = "google.devtools.cloudbuild.v1.BuildOperationMetadata"


class CloudBuildSurface(BaseSurface):
    """google.devtools.cloudbuild.v1.CloudBuild; triggers and worker pools are not emulated."""

    def __init__(self, kernel: Kernel) -> None:
        self._folder = kernel.settings.builds
        # What a stopped process left there is of no use: a build goes on from its source.
        shutil.rmtree(self._folder, ignore_errors=True)
        builds = Builds(kernel.resources, kernel.projects)
        self._lifecycle = Lifecycle(kernel, builds)
        self._service = CloudBuild(kernel, builds, self._lifecycle)
        kernel.operations.register_resumer(_METADATA_TYPE, self._lifecycle.resume)

    def rpcs(self) -> Iterable[Rpc]:
        """The four methods of builds."""
        do = self._service
        for method, types, handler, verb in (
            ("CreateBuild", (pb.CreateBuildRequest, Operation), do.create, "create"),
            ("GetBuild", (pb.GetBuildRequest, pb.Build), do.get, "get"),
            ("ListBuilds", (pb.ListBuildsRequest, pb.ListBuildsResponse), do.list, "list"),
            ("CancelBuild", (pb.CancelBuildRequest, pb.Build), do.cancel, "update"),
        ):
            writes = verb in {"create", "update"}
            permission = f"cloudbuild.builds.{verb}"
            yield _TABLE.row(method, types, handler, permission, resource_of, writes=writes)

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Also acting as the build's account."""
        yield from super().permissions()
        yield "cloudbuild.builds.create", act_as.PERMISSION

    def stop(self) -> None:
        """Builds have been asked to end; wait until their processes have."""
        self._lifecycle.stop()

    def reset(self) -> None:
        """End what builds."""
        self._lifecycle.stop(reset=True)


def build(kernel: Kernel, _: Pipeline) -> CloudBuildSurface:
    """The factory for `registry.SERVICES`."""
    return CloudBuildSurface(kernel)
