"""Artifact Registry's surface."""

from collections.abc import Iterable, Iterator

from google.cloud import artifactregistry_v1 as pb
from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.artifactregistry.names import Names
from gpupipe.localcloud.services.artifactregistry.packages import Packages
from gpupipe.localcloud.services.artifactregistry.repositories import Repositories
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows(
    "google.devtools.artifactregistry.v1.ArtifactRegistry", "artifactregistry.googleapis.com"
)
_PERMISSION = "artifactregistry"


class ArtifactRegistry(BaseSurface):
    """google.devtools.artifactregistry.v1.ArtifactRegistry, Docker only."""

    def __init__(self, kernel: Kernel) -> None:
        names = Names(kernel.projects)
        self._repositories = Repositories(kernel, names)
        self._packages = Packages(kernel, names, self._repositories)
        self._policies = PolicyMethods(
            kernel, f"{_PERMISSION}.repositories", self._repositories.policy_name
        )

    def rpcs(self) -> Iterable[Rpc]:
        """Repositories, their policies, and what is in them."""
        yield from self._repository_rows()
        yield from self._policies.rows(_TABLE)
        yield from self._reads()
        yield from self._writes()

    def _repository_rows(self) -> Iterator[Rpc]:
        do, one = self._repositories, pb.Repository
        lists = (pb.ListRepositoriesRequest, pb.ListRepositoriesResponse)
        for method, types, handler, verb, resource in (
            ("GetRepository", (pb.GetRepositoryRequest, one), do.get, "get", "name"),
            ("ListRepositories", lists, do.list, "list", "parent"),
            ("CreateRepository", (pb.CreateRepositoryRequest, Operation), do.create, "create",
             "parent"),
            ("UpdateRepository", (pb.UpdateRepositoryRequest, one), do.update, "update",
             "repository.name"),
            ("DeleteRepository", (pb.DeleteRepositoryRequest, Operation), do.delete, "delete",
             "name"),
        ):  # fmt: skip
            writes = verb not in {"get", "list"}
            permission = f"{_PERMISSION}.repositories.{verb}"
            yield _TABLE.row(method, types, handler, permission, resource, writes=writes)

    def _reads(self) -> Iterator[Rpc]:
        do = self._packages
        for kind, permission, one, get, many, listing in (
            ("DockerImage", "dockerimages", (pb.GetDockerImageRequest, pb.DockerImage),
             do.get_docker_image, (pb.ListDockerImagesRequest, pb.ListDockerImagesResponse),
             do.list_docker_images),
            ("Package", "packages", (pb.GetPackageRequest, pb.Package), do.get_package,
             (pb.ListPackagesRequest, pb.ListPackagesResponse), do.list_packages),
            ("Version", "versions", (pb.GetVersionRequest, pb.Version), do.get_version,
             (pb.ListVersionsRequest, pb.ListVersionsResponse), do.list_versions),
            ("Tag", "tags", (pb.GetTagRequest, pb.Tag), do.get_tag,
             (pb.ListTagsRequest, pb.ListTagsResponse), do.list_tags),
        ):  # fmt: skip
            name = f"{_PERMISSION}.{permission}"
            yield _TABLE.row(f"Get{kind}", one, get, f"{name}.get", "name")
            yield _TABLE.row(f"List{kind}s", many, listing, f"{name}.list", "parent")

    def _writes(self) -> Iterator[Rpc]:
        do = self._packages
        for method, types, handler, permission, resource in (
            ("DeletePackage", (pb.DeletePackageRequest, Operation), do.delete_package,
             "packages.delete", "name"),
            ("DeleteVersion", (pb.DeleteVersionRequest, Operation), do.delete_version,
             "versions.delete", "name"),
            ("CreateTag", (pb.CreateTagRequest, pb.Tag), do.create_tag, "tags.create", "parent"),
            ("UpdateTag", (pb.UpdateTagRequest, pb.Tag), do.update_tag, "tags.update", "tag.name"),
            ("DeleteTag", (pb.DeleteTagRequest, Empty), do.delete_tag, "tags.delete", "name"),
        ):  # fmt: skip
            name = f"{_PERMISSION}.{permission}"
            yield _TABLE.row(method, types, handler, name, resource, writes=True)


def build(kernel: Kernel, _: Pipeline) -> ArtifactRegistry:
    """The factory for `registry.SERVICES`."""
    return ArtifactRegistry(kernel)
