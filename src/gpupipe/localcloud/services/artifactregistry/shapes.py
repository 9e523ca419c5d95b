"""Stored images as the API's messages: Docker images, packages, versions, tags."""

from collections.abc import Iterable
from typing import Any

from google.cloud import artifactregistry_v1

from gpupipe.localcloud.kernel.registry_images import StoredImage
from gpupipe.localcloud.services.artifactregistry.names import encoded
from gpupipe.localcloud.transport.rows import raw

DockerImage = raw(artifactregistry_v1.DockerImage)
Package = raw(artifactregistry_v1.Package)
Version = raw(artifactregistry_v1.Version)
Tag = raw(artifactregistry_v1.Tag)


def docker_image(image: StoredImage) -> Any:
    """An image by digest, with its tags and size."""
    message = DockerImage(
        name=f"{image.repository}/dockerImages/{encoded(image.image)}@{image.digest}",
        uri=image.uri,
        tags=image.tags,
        image_size_bytes=image.size,
    )
    for field in (message.upload_time, message.build_time, message.update_time):
        field.FromDatetime(image.created)
    return message


def packages(images: Iterable[StoredImage]) -> list[Any]:
    """The packages that have these versions."""
    times: dict[str, list[StoredImage]] = {}
    for image in images:
        times.setdefault(_package_name(image), []).append(image)
    result = []
    for name, versions in times.items():
        message = Package(name=name, display_name=versions[0].image)
        message.create_time.FromDatetime(min(one.created for one in versions))
        message.update_time.FromDatetime(max(one.created for one in versions))
        result.append(message)
    return result


def version(image: StoredImage, *, full: bool) -> Any:
    """One version of a package; the full view has the tags that name it."""
    tags = [tag(image, name) for name in image.tags] if full else []
    message = Version(name=_version_name(image), related_tags=tags)
    message.create_time.FromDatetime(image.created)
    message.update_time.FromDatetime(image.created)
    return message


def tag(image: StoredImage, name: str) -> Any:
    """A tag and the version that it names."""
    return Tag(name=f"{_package_name(image)}/tags/{name}", version=_version_name(image))


def _package_name(image: StoredImage) -> str:
    return f"{image.repository}/packages/{encoded(image.image)}"


def _version_name(image: StoredImage) -> str:
    return f"{_package_name(image)}/versions/{image.digest}"
