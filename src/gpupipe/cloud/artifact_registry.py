"""Artifact Registry: the Docker repository, its bindings, and which image a tag names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.api import Api, Binding
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import ACCOUNT_VISIBLE
from gpupipe.cloud.clients import module
from gpupipe.cloud.operations import CREATE_S, DELETE_S, finish
from gpupipe.cloud.policy import bindings_of, edit


@dataclass(frozen=True, slots=True)
class Repository:
    """A Docker repository that keeps the newest `keep` versions of each image.

    name: "projects/P/locations/R/repositories/ID".
    """

    name: str
    labels: Mapping[str, str]
    description: str
    keep: int


class ArtifactRegistryApi(Api):
    """The calls that gpupipe needs of Artifact Registry."""

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
        operation = self._unary(
            "Creating the repository",
            wanted.name,
            self._client.create_repository,
            {
                "parent": parent,
                "repository_id": repository_id,
                "repository": _message(wanted),
            },
            idempotent=False,
        )
        finish(self._caller, "Creating the repository", wanted.name, operation, CREATE_S)

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
        operation = none_if_missing(
            lambda: self._unary(
                "Deleting the repository", name, self._client.delete_repository, {"name": name}
            )
        )
        if operation is not None:
            finish(self._caller, "Deleting the repository", name, operation, DELETE_S)

    def digest(self, repository: str, image: str, tag: str) -> str | None:
        """The digest ("sha256:…") that a tag of an image names, or None."""
        name = f"{repository}/packages/{image}/tags/{tag}"
        found = none_if_missing(
            lambda: self._unary(
                "Reading the image's tag", name, self._client.get_tag, {"name": name}
            )
        )
        return None if found is None else str(found.version.rpartition("/")[2])

    def bindings(self, name: str) -> frozenset[Binding]:
        """The repository's unconditional bindings; empty where there is none."""
        policy = none_if_missing(lambda: self._policy(name))
        return frozenset() if policy is None else bindings_of(policy)

    def edit_bindings(
        self, name: str, *, add: Collection[Binding] = (), remove: Collection[Binding] = ()
    ) -> None:
        """Add and remove bindings; all others stay."""
        edit(
            self._caller,
            read=lambda: self._policy(name),
            write=lambda policy: self._unary(
                "Changing who may use the repository",
                name,
                self._client.set_iam_policy,
                {"resource": name, "policy": policy},
                idempotent=False,
                causes=(ACCOUNT_VISIBLE,),
            ),
            add=add,
            remove=remove,
        )

    def _policy(self, name: str) -> Any:
        return self._unary(
            "Reading who may use the repository",
            name,
            self._client.get_iam_policy,
            {"resource": name, "options": {"requested_policy_version": 3}},
        )

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
    )
