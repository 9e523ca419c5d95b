"""Artifact Registry: the Docker repository, its bindings, and which image a tag names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.clients import module
from gpupipe.cloud.operations import CREATE_S, DELETE_S
from gpupipe.cloud.policy import PolicyApi


@dataclass(frozen=True, slots=True)
class Repository:
    """A Docker repository that keeps the newest `keep` versions of each image.

    name: "projects/P/locations/R/repositories/ID".
    """

    name: str
    labels: Mapping[str, str]
    description: str
    keep: int
    kms_key: str = ""
    updated: datetime | None = None


class ArtifactRegistryApi(PolicyApi):
    """The calls that gpupipe needs of Artifact Registry."""

    _who = "who may use the repository"

    def get(self, name: str) -> Repository | None:
        """The repository, or None."""
        found = none_if_missing(
            lambda: self._unary(
                "Reading the repository", name, self._client.get_repository, {"name": name}
            )
        )
        return None if found is None else _repository(found)

    def create(self, wanted: Repository) -> None:
        """Make the repository and wait for it."""
        parent, _, repository_id = wanted.name.partition("/repositories/")
        self._operate(
            "Creating the repository",
            wanted.name,
            self._client.create_repository,
            {
                "parent": parent,
                "repository_id": repository_id,
                "repository": _message(wanted),
            },
            CREATE_S,
        )

    def update(self, wanted: Repository) -> None:
        """Set labels, description and clean-up policy."""
        self._unary(
            "Updating the repository",
            wanted.name,
            self._client.update_repository,
            {
                "repository": _message(wanted),
                "update_mask": {"paths": ["labels", "description", "cleanup_policies"]},
            },
        )

    def delete(self, name: str) -> None:
        """Delete the repository with all its images; one that is gone already is fine."""
        none_if_missing(
            lambda: self._operate(
                "Deleting the repository",
                name,
                self._client.delete_repository,
                {"name": name},
                DELETE_S,
            )
        )

    def digest(self, repository: str, image: str, tag: str) -> str | None:
        """The digest ("sha256:…") that a tag of an image names, or None."""
        name = f"{repository}/packages/{image}/tags/{tag}"
        found = none_if_missing(
            lambda: self._unary(
                "Reading the image's tag", name, self._client.get_tag, {"name": name}
            )
        )
        return None if found is None else str(found.version.rpartition("/")[2])

    @property
    def _client(self) -> Any:
        return self._clients.client("registry")


_KEEP = "gpupipe-keep-newest"
_DELETE = "gpupipe-delete-old"


def _message(wanted: Repository) -> Any:
    types = module("google.cloud.artifactregistry_v1").types
    policy, versions = types.CleanupPolicy, types.CleanupPolicyMostRecentVersions
    return types.Repository(
        name=wanted.name,
        format_=types.Repository.Format.DOCKER,
        mode=types.Repository.Mode.STANDARD_REPOSITORY,
        labels=dict(wanted.labels),
        description=wanted.description,
        kms_key_name=wanted.kms_key,
        cleanup_policies={
            _KEEP: policy(
                id=_KEEP,
                action=policy.Action.KEEP,
                most_recent_versions=versions(keep_count=wanted.keep),
            ),
            # KEEP wins over DELETE, so this removes only what is older than the newest.
            _DELETE: policy(
                id=_DELETE,
                action=policy.Action.DELETE,
                condition=types.CleanupPolicyCondition(
                    tag_state=types.CleanupPolicyCondition.TagState.ANY
                ),
            ),
        },
    )


def _repository(found: Any) -> Repository:
    policies = dict(found.cleanup_policies)
    keep = policies.get(_KEEP)
    return Repository(
        name=str(found.name),
        labels=dict(found.labels),
        description=str(found.description),
        keep=int(keep.most_recent_versions.keep_count) if keep and _DELETE in policies else 0,
        kms_key=str(found.kms_key_name),
        updated=found.update_time,
    )
