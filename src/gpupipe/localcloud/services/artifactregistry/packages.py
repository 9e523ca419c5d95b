"""Images of a repository as packages, versions, tags and Docker images."""

import re
from collections.abc import Sequence
from typing import Any

from google.cloud import artifactregistry_v1
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.registry_images import StoredImage
from gpupipe.localcloud.services.artifactregistry import shapes
from gpupipe.localcloud.services.artifactregistry.names import Names
from gpupipe.localcloud.services.artifactregistry.repositories import Repositories
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_MOST = 1000
_FULL = int(artifactregistry_v1.VersionView.FULL)
# ids of tags: the pattern of Docker's
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)


class Packages:
    """The handlers over `kernel.images`."""

    def __init__(self, kernel: Kernel, names: Names, repositories: Repositories) -> None:
        self._kernel = kernel
        self._names = names
        self._repositories = repositories

    def list_docker_images(self, request: Any, _: Call) -> Any:
        """ListDockerImages."""
        images = [shapes.docker_image(image) for image in self._in(request.parent)]
        return _page(request, images, artifactregistry_v1.ListDockerImagesResponse, "docker_images")

    def get_docker_image(self, request: Any, _: Call) -> Any:
        """GetDockerImage."""
        return shapes.docker_image(self._image(*self._names.docker_image(request.name)))

    def list_packages(self, request: Any, _: Call) -> Any:
        """ListPackages."""
        packages = shapes.packages(self._in(request.parent))
        return _page(request, packages, artifactregistry_v1.ListPackagesResponse, "packages")

    def get_package(self, request: Any, _: Call) -> Any:
        """GetPackage."""
        return shapes.packages(self._versions(*self._names.package(request.name)))[0]

    def delete_package(self, request: Any, _: Call) -> Operation:
        """DeletePackage, with all its versions and tags."""
        repository, name = self._names.package(request.name)
        with self._kernel.database.transaction():
            for image in self._versions(repository, name):
                self._kernel.images.delete(repository, name, image.digest)
            return self._repositories.done(repository, Empty())

    def list_versions(self, request: Any, _: Call) -> Any:
        """ListVersions."""
        images = self._versions(*self._names.package(request.parent))
        full = request.view == _FULL
        versions = [shapes.version(image, full=full) for image in images]
        return _page(request, versions, artifactregistry_v1.ListVersionsResponse, "versions")

    def get_version(self, request: Any, _: Call) -> Any:
        """GetVersion."""
        image = self._image(*self._names.member(request.name, "versions"))
        return shapes.version(image, full=request.view == _FULL)

    def delete_version(self, request: Any, _: Call) -> Operation:
        """DeleteVersion; one with tags only by force."""
        repository, name, digest = self._names.member(request.name, "versions")
        with self._kernel.database.transaction():
            image = self._image(repository, name, digest)
            if image.tags and not request.force:
                raise failed_precondition(
                    f"The version has tags ({', '.join(image.tags)}); force removes it with them."
                )
            self._kernel.images.delete(repository, name, digest)
            return self._repositories.done(repository, Empty())

    def list_tags(self, request: Any, _: Call) -> Any:
        """ListTags."""
        images = self._versions(*self._names.package(request.parent))
        tags = [shapes.tag(image, tag) for image in images for tag in image.tags]
        return _page(request, tags, artifactregistry_v1.ListTagsResponse, "tags")

    def get_tag(self, request: Any, _: Call) -> Any:
        """GetTag."""
        repository, name, tag = self._names.member(request.name, "tags")
        return shapes.tag(self._tagged(repository, name, tag), tag)

    def create_tag(self, request: Any, _: Call) -> Any:
        """CreateTag: a new one."""
        repository, name = self._names.package(request.parent)
        if not _TAG.fullmatch(request.tag_id):
            raise invalid_argument(f"The tag {request.tag_id!r} is not valid.", "tag_id")
        if self._find_tagged(repository, name, request.tag_id) is not None:
            raise already_exists(f"Tag {request.tag_id} of {name} already exists.")  # own words
        return self._tag(repository, name, request.tag_id, request.tag.version)

    def update_tag(self, request: Any, _: Call) -> Any:
        """UpdateTag: an existing one names another version."""
        repository, name, tag = self._names.member(request.tag.name, "tags")
        old = shapes.tag(self._tagged(repository, name, tag), tag)
        new = merged(
            old,
            request.tag,
            request.update_mask,
            path="tag",
            without_mask=WithoutMask.GIVEN,
            keep=("name",),
        )
        return self._tag(repository, name, tag, new.version)

    def delete_tag(self, request: Any, _: Call) -> Empty:
        """DeleteTag."""
        self._kernel.images.untag(*self._names.member(request.name, "tags"))
        return Empty()

    def _tag(self, repository: str, name: str, tag: str, version: str) -> Any:
        owner, package, digest = self._names.member(version, "versions")
        if (owner, package) != (repository, name):
            raise invalid_argument("A tag names a version of its own package.", "tag.version")
        image = self._image(repository, name, digest)
        self._kernel.images.tag(repository, name, tag, digest)
        return shapes.tag(image, tag)

    def _in(self, parent: str) -> tuple[StoredImage, ...]:
        return self._kernel.images.list(str(self._repositories.existing(parent).name))

    def _versions(self, repository: str, name: str) -> list[StoredImage]:
        """The versions of a package; a package without any is not there."""
        found = [image for image in self._in(repository) if image.image == name]
        if not found:
            raise not_found(f"Package {name} was not found in {repository}.")  # own words
        return found

    def _image(self, repository: str, name: str, digest: str) -> StoredImage:
        found = self._kernel.images.get(repository, name, digest)
        if found is None:
            raise not_found(f"Version {digest} of {name} was not found in {repository}.")
        return found

    def _find_tagged(self, repository: str, name: str, tag: str) -> StoredImage | None:
        images = self._kernel.images.list(repository)
        return next((one for one in images if one.image == name and tag in one.tags), None)

    def _tagged(self, repository: str, name: str, tag: str) -> StoredImage:
        found = self._find_tagged(repository, name, tag)
        if found is None:
            raise not_found(f"Tag {tag} of {name} was not found in {repository}.")
        return found


def _page(request: Any, items: Sequence[Any], answer: Any, field: str) -> Any:
    page, token = page_of(
        items, lambda item: str(item.name), request.page_size, request.page_token, most=_MOST
    )
    return raw(answer)(**{field: page, "next_page_token": token})
