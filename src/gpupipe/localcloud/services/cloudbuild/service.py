"""google.devtools.cloudbuild.v1.CloudBuild: the handlers."""

from typing import Any
from uuid import uuid4

from google.longrunning.operations_pb2 import Operation

from gpupipe.localcloud.errors import (
    failed_precondition,
    invalid_argument,
)
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.cloudbuild import messages, rules
from gpupipe.localcloud.services.cloudbuild.filter import compiled
from gpupipe.localcloud.services.cloudbuild.lifecycle import Lifecycle
from gpupipe.localcloud.services.cloudbuild.store import Builds, operation_name
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rpc import Call


class CloudBuild:
    """Create, get, list, cancel."""

    def __init__(self, kernel: Kernel, builds: Builds, lifecycle: Lifecycle) -> None:
        self._kernel = kernel
        self._builds = builds
        self._lifecycle = lifecycle

    def create(self, request: Any, call: Call) -> Operation:
        """CreateBuild: the build is in the operation's metadata at once."""
        if not request.project_id:
            raise invalid_argument("project_id is required.", "project_id")  # gcp-facts §3
        project, location = self._builds.parent(request.parent, request.project_id)
        if request.project_id not in {project.id, str(project.number)}:
            raise invalid_argument("project_id is not the parent's project.", "project_id")
        rules.check_location(location)
        rules.check(request.build)
        account = rules.account_of(request.build)
        account_to_act_as(self._kernel.identity, self._kernel.authorizer, call.caller, account)
        build = messages.Build()
        build.CopyFrom(request.build)
        build.id = str(uuid4())
        build.project_id = project.id
        build.name = f"projects/{project.number}/locations/{location}/builds/{build.id}"
        build.status = messages.QUEUED
        build.create_time.FromDatetime(self._kernel.clock.now())
        with self._kernel.database.transaction():
            self._builds.put(build)
            return self._kernel.operations.run(
                operation_name(project, location, build.id),
                metadata=messages.Metadata(build=build),
                work=self._lifecycle.work(self._builds.key(build)),
                resource=f"{project.name}/locations/{location}/builds/{build.id}",
            )

    def get(self, request: Any, _: Call) -> Any:
        """GetBuild."""
        return self._builds.get(self._key(request))

    def list(self, request: Any, _: Call) -> Any:
        """ListBuilds, newest first."""
        test = compiled(request.filter)
        project, location = self._builds.parent(request.parent, request.project_id)
        found = [
            one for one in self._builds.of(f"{project.name}/locations/{location}") if test(one)
        ]
        page, token = page_of(found, _newest_first, request.page_size, request.page_token)
        return messages.ListBuildsResponse(builds=page, next_page_token=token)

    def cancel(self, request: Any, _: Call) -> Any:
        """CancelBuild; one that has ended is FAILED_PRECONDITION."""
        key = self._key(request)
        if self._builds.get(key).status not in messages.RUNNING:
            raise failed_precondition("The build has ended and cannot be cancelled.")  # own words
        return self._lifecycle.cancel(key)

    def _key(self, request: Any) -> str:
        return self._builds.own_name(request.name, request.project_id, request.id)


def resource_of(request: Any) -> str:
    """The IAM resource of a request that names a build, or a parent, in either of its two forms."""
    named = getattr(request, "name", "") or getattr(request, "parent", "")
    return named or f"projects/{request.project_id}"


def _newest_first(build: Any) -> str:
    """A text that sorts the newest build first: nanoseconds, counted down."""
    return f"{(1 << 63) - build.create_time.ToNanoseconds():020d} {build.id}"
