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
_SET = tuple(
    f"repository.{path}"
    for path in ("name", "format_", "mode", "description", "labels", "cleanup_policies",
                 "cleanup_policy_dry_run", "kms_key_name")
)  # fmt: skip
_PAGED = ("parent", "page_size", "page_token")


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
        for method, types, handler, resource, fields in (
            ("GetRepository", (pb.GetRepositoryRequest, one), do.get, "name", ("name",)),
            ("ListRepositories", lists, do.list, "parent", _PAGED),
            ("CreateRepository", (pb.CreateRepositoryRequest, Operation), do.create, "parent",
             ("parent", "repository_id", *_SET)),
            ("UpdateRepository", (pb.UpdateRepositoryRequest, one), do.update, "repository.name",
             ("update_mask", *_SET)),
            ("DeleteRepository", (pb.DeleteRepositoryRequest, Operation), do.delete, "name",
             ("name",)),
        ):  # fmt: skip
            verb = handler.__name__
            yield _TABLE.row(method, types, handler, f"{_PERMISSION}.repositories.{verb}", resource,
                             writes=verb not in {"get", "list"}, fields=fields)  # fmt: skip

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
            view = ("view",) if kind == "Version" else ()
            yield _TABLE.row(f"Get{kind}", one, get, f"{name}.get", "name", fields=("name", *view))
            yield _TABLE.row(
                f"List{kind}s", many, listing, f"{name}.list", "parent", fields=(*_PAGED, *view)
            )

    def _writes(self) -> Iterator[Rpc]:
        do = self._packages
        for method, types, handler, permission, resource, fields in (
            ("DeletePackage", (pb.DeletePackageRequest, Operation), do.delete_package,
             "packages.delete", "name", ("name",)),
            ("DeleteVersion", (pb.DeleteVersionRequest, Operation), do.delete_version,
             "versions.delete", "name", ("name", "force")),
            ("CreateTag", (pb.CreateTagRequest, pb.Tag), do.create_tag, "tags.create", "parent",
             ("parent", "tag_id", "tag")),
            ("UpdateTag", (pb.UpdateTagRequest, pb.Tag), do.update_tag, "tags.update", "tag.name",
             ("tag", "update_mask")),
            ("DeleteTag", (pb.DeleteTagRequest, Empty), do.delete_tag, "tags.delete", "name",
             ("name",)),
        ):  # fmt: skip
            name = f"{_PERMISSION}.{permission}"
            yield _TABLE.row(method, types, handler, name, resource, writes=True, fields=fields)


def build(kernel: Kernel, _: Pipeline) -> ArtifactRegistry:
    """The factory for `registry.SERVICES`."""
    return ArtifactRegistry(kernel)
