"""Cloud Build's surface: wires the handlers and the builds that run."""

import os
import shutil
from collections.abc import Iterable

from google.cloud.devtools import cloudbuild_v1 as pb
from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.kernel import act_as
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudbuild.lifecycle import Lifecycle
from gpupipe.localcloud.services.cloudbuild.rules import FIELDS
from gpupipe.localcloud.services.cloudbuild.service import CloudBuild, resource_of
from gpupipe.localcloud.services.cloudbuild.store import Builds
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.devtools.cloudbuild.v1.CloudBuild", "cloudbuild.googleapis.com")
_METADATA_TYPE = "google.devtools.cloudbuild.v1.BuildOperationMetadata"


class CloudBuildSurface(BaseSurface):
    """google.devtools.cloudbuild.v1.CloudBuild; triggers and worker pools are not emulated.

    slots: how many builds work at once, the others are queued.
    """

    def __init__(self, kernel: Kernel, slots: int) -> None:
        self._folder = kernel.settings.builds
        # What a stopped process left there is of no use: a build goes on from its source.
        shutil.rmtree(self._folder, ignore_errors=True)
        builds = Builds(kernel.resources, kernel.projects)
        self._lifecycle = Lifecycle(kernel, builds, slots)
        self._service = CloudBuild(kernel, builds, self._lifecycle)
        kernel.operations.register_resumer(_METADATA_TYPE, self._lifecycle.resume)

    def rpcs(self) -> Iterable[Rpc]:
        """The four methods of builds."""
        do = self._service
        one, several = ("name", "project_id", "id"), (pb.ListBuildsRequest, pb.ListBuildsResponse)
        listed = ("parent", "project_id", "page_size", "page_token", "filter")
        for method, types, handler, verb, fields in (
            ("CreateBuild", (pb.CreateBuildRequest, Operation), do.create, "create", FIELDS),
            ("GetBuild", (pb.GetBuildRequest, pb.Build), do.get, "get", one),
            ("ListBuilds", several, do.list, "list", listed),
            ("CancelBuild", (pb.CancelBuildRequest, pb.Build), do.cancel, "update", one),
        ):
            yield _TABLE.row(method, types, handler, f"cloudbuild.builds.{verb}", resource_of,
                             writes=verb in {"create", "update"}, fields=fields)  # fmt: skip

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
    return CloudBuildSurface(kernel, max(1, os.cpu_count() or 1))
