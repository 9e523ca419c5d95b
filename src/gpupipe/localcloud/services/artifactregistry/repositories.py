"""Repositories: create, get, list, update, delete. Cleanup policies are kept, not carried out."""

from typing import Any
from uuid import uuid4

from google.cloud import artifactregistry_v1
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import already_exists, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.registry_images import REPOSITORY_KIND
from gpupipe.localcloud.services.artifactregistry import rules
from gpupipe.localcloud.services.artifactregistry.names import Names
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

Repository = raw(artifactregistry_v1.Repository)
_STANDARD = int(artifactregistry_v1.Repository.Mode.STANDARD_REPOSITORY)


class Repositories:
    """The handlers over stored repositories."""

    def __init__(self, kernel: Kernel, names: Names) -> None:
        self._kernel = kernel
        self._names = names

    def get(self, request: Any, _: Call) -> Any:
        """GetRepository."""
        return self._shown(self.existing(request.name))

    def list(self, request: Any, _: Call) -> Any:
        """ListRepositories."""
        page = self._kernel.resources.page(
            REPOSITORY_KIND,
            self._names.location(request.parent),
            size=request.page_size,
            token=request.page_token,
        )
        return raw(artifactregistry_v1.ListRepositoriesResponse)(
            repositories=[
                self._shown(Repository.FromString(record.body)) for record in page.records
            ],
            next_page_token=page.next_token,
        )

    def create(self, request: Any, _: Call) -> Operation:
        """CreateRepository."""
        parent = self._names.location(request.parent)
        rules.check_location(parent)
        rules.check_id(request.repository_id)
        rules.check(request.repository)
        self._check_key(parent, request.repository.kms_key_name)
        repository = Repository()
        repository.CopyFrom(request.repository)
        repository.name = f"{parent}/repositories/{request.repository_id}"
        repository.mode = _STANDARD
        now = self._kernel.clock.now()
        repository.create_time.FromDatetime(now)
        repository.update_time.FromDatetime(now)
        with self._kernel.database.transaction():
            if self._kernel.resources.get(REPOSITORY_KIND, repository.name) is not None:
                raise already_exists("the repository already exists")  # gcp-facts §3, UNSURE
            self._put(repository)
            return self.done(repository.name, self._shown(repository))

    def update(self, request: Any, _: Call) -> Any:
        """UpdateRepository: at once."""
        with self._kernel.database.transaction():
            old = self.existing(request.repository.name)
            repository = merged(
                old,
                request.repository,
                request.update_mask,
                path="repository",
                without_mask=WithoutMask.GIVEN,
                keep=("name",),
            )
            rules.check_changed(old, repository)
            repository.update_time.FromDatetime(self._kernel.clock.now())
            self._put(repository)
        return self._shown(repository)

    def delete(self, request: Any, _: Call) -> Operation:
        """DeleteRepository, with all its images."""
        with self._kernel.database.transaction():
            name = self.existing(request.name).name
            self._kernel.resources.delete(REPOSITORY_KIND, name)
            self._kernel.images.delete_repository(name)
            self._kernel.policies.delete(name)
            return self.done(name, Empty())

    def existing(self, name: str) -> Any:
        """The stored repository, or NOT_FOUND."""
        own = self._names.repository(name)
        record = self._kernel.resources.get(REPOSITORY_KIND, own)
        if record is None:
            raise not_found(f"Repository {own} was not found.")  # own words
        return Repository.FromString(record.body)

    def policy_name(self, resource: str) -> str:
        """The name that a repository's policy is kept under."""
        return str(self.existing(resource).name)

    def done(self, resource: str, answer: Any) -> Operation:
        """A finished operation at the location of a resource."""
        location = "/".join(resource.split("/")[:4])
        return self._kernel.operations.done(
            f"{location}/operations/{uuid4()}",
            metadata=raw(artifactregistry_v1.OperationMetadata)(),
            response=answer,
            resource=resource,
        )

    def _check_key(self, parent: str, key: str) -> None:
        if key:
            _, project, _, location = parent.split("/")
            self._kernel.outside.check_key(
                key,
                project=project,
                location=location,
                api="artifactregistry.googleapis.com",
                path="repository.kms_key_name",
            )

    def _put(self, repository: Any) -> None:
        parent = repository.name.rpartition("/repositories/")[0]
        self._kernel.resources.put(
            REPOSITORY_KIND, repository.name, parent, repository.SerializeToString()
        )

    def _shown(self, repository: Any) -> Any:
        _, project, _, location, _, name = repository.name.split("/")
        images = self._kernel.images.list(repository.name)
        repository.size_bytes = sum(image.size for image in images)
        repository.registry_uri = f"{location}-docker.pkg.dev/{project}/{name}"
        return repository
