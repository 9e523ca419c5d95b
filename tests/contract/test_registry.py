"""Artifact Registry through its official client: repositories, versions and tags."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1 as pb
from tests.support.givens import GIVENS
from tests.support.localcloud import RunningCloud
from tests.support.refusals import bases, filled
from tests.support.world import World

PARENT = "projects/registry-test/locations/us-central1"
NAME = f"{PARENT}/repositories/images"
PACKAGE = f"{NAME}/packages/server"


@pytest.fixture
def world(local_cloud: RunningCloud) -> World:
    world = World(local_cloud, "registry-test")
    for given in ("enabled", "repository", "pushed"):
        GIVENS[given](world)
    return world


@pytest.fixture
def registry(world: World) -> Any:
    return world.client("artifactregistry")


def test_a_repository_comes_back_as_it_was_made(
    registry: pb.ArtifactRegistryClient, world: World
) -> None:
    request = filled(bases()["artifactregistry.repository"].body, world.names)
    made = registry.create_repository(request=request).result(timeout=10)
    assert made.mode == pb.Repository.Mode.STANDARD_REPOSITORY
    assert made.cleanup_policies["keep"].most_recent_versions.keep_count == 10
    assert made.cleanup_policy_dry_run
    assert made.registry_uri == "us-central1-docker.pkg.dev/registry-test/containers"
    assert registry.get_repository(request={"name": made.name}) == made


def test_an_update_replaces_what_its_mask_names(registry: pb.ArtifactRegistryClient) -> None:
    before = registry.get_repository(request={"name": NAME})
    changed = registry.update_repository(
        request={
            "repository": {"name": NAME, "labels": {"a": "b"}, "description": "not in the mask"},
            "update_mask": {"paths": ["labels"]},
        }
    )
    assert dict(changed.labels) == {"a": "b"}
    assert changed.description == before.description
    assert changed.format_ == before.format_


def test_an_update_without_a_mask_replaces_what_it_gives(
    registry: pb.ArtifactRegistryClient,
) -> None:
    registry.update_repository(request={"repository": {"name": NAME, "labels": {"a": "b"}}})
    changed = registry.update_repository(
        request={"repository": {"name": NAME, "description": "said"}}
    )
    assert (changed.description, dict(changed.labels)) == ("said", {"a": "b"})


def test_tags_move_and_only_the_full_view_shows_them(
    registry: pb.ArtifactRegistryClient, world: World
) -> None:
    version = f"{PACKAGE}/versions/{world.names['digest']}"
    registry.create_tag(request={"parent": PACKAGE, "tag_id": "v2", "tag": {"version": version}})
    full = registry.get_version(request={"name": version, "view": pb.VersionView.FULL})
    assert [tag.name.rpartition("/")[2] for tag in full.related_tags] == ["v1", "v2"]
    assert not registry.get_version(request={"name": version}).related_tags
    moved = registry.update_tag(
        request={
            "tag": {"name": f"{PACKAGE}/tags/v1", "version": version},
            "update_mask": {"paths": ["version"]},
        }
    )
    assert moved.version == version


def test_force_deletes_a_version_with_its_tags(
    registry: pb.ArtifactRegistryClient, world: World
) -> None:
    version = f"{PACKAGE}/versions/{world.names['digest']}"
    registry.delete_version(request={"name": version, "force": True}).result(timeout=10)
    with pytest.raises(exceptions.NotFound):
        registry.get_tag(request={"name": f"{PACKAGE}/tags/v1"})


def test_a_deleted_package_and_repository_are_gone(registry: pb.ArtifactRegistryClient) -> None:
    registry.delete_package(request={"name": PACKAGE}).result(timeout=10)
    assert not list(registry.list_docker_images(request={"parent": NAME}))
    registry.delete_repository(request={"name": NAME}).result(timeout=10)
    with pytest.raises(exceptions.NotFound):
        registry.get_repository(request={"name": NAME})


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("another format than DOCKER", {"format_": "PYTHON"}),
        ("virtual and remote", {"mode": "VIRTUAL_REPOSITORY"}),
        ("repository.docker_config", {"docker_config": {"immutable_tags": True}}),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(
    registry: pb.ArtifactRegistryClient, words: str, change: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=words):
        registry.create_repository(
            request={
                "parent": PARENT,
                "repository_id": "other",
                "repository": {"format_": "DOCKER", **change},
            },
            retry=None,
        )
