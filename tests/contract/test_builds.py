"""Cloud Build through its official client: how builds end, and where each ending is told."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.devtools.cloudbuild_v1 import Build
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from tests.support.clock import FakeClock
from tests.support.givens import GIVENS
from tests.support.givens_builds import archive
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.refusals import bases, filled
from tests.support.world import World

from gpupipe.localcloud.registry import SERVICES
from gpupipe.localcloud.services.cloudbuild import surface

PROJECT = "build-test"
PARENT = f"projects/{PROJECT}/locations/us-central1"
IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/images/server:v1"
TIMEOUT_S = 30
FAILURE = Build.FailureInfo.FailureType
BASE = bases()["cloudbuild.build"]
SLEEPER = 'FROM python:3.11-slim\nCOPY wait.py /wait.py\nRUN ["python", "/wait.py"]\n'


def prepared(cloud: RunningCloud, *left_out: str) -> World:
    world = World(cloud, PROJECT)
    for given in BASE.given:
        if given not in left_out:
            GIVENS[given](world)
    return world


@pytest.fixture
def world(local_cloud: RunningCloud) -> World:
    return prepared(local_cloud)


def begin(world: World, **change: Any) -> Any:
    request = filled(BASE.body, world.names)
    request["build"] |= change
    return world.client("cloudbuild").create_build(request=request, retry=None)


def read(world: World, build: Any) -> Any:
    request = {"name": build.name, "project_id": PROJECT, "id": build.id}
    return world.client("cloudbuild").get_build(request=request)


def failed(world: World, **change: Any) -> Any:
    """The build of an operation that ended in an error."""
    operation = begin(world, **change)
    with pytest.raises(exceptions.GoogleAPICallError):
        operation.result(timeout=TIMEOUT_S)
    return read(world, operation.metadata.build)


def upload(world: World, name: str, data: bytes) -> dict[str, Any]:
    """The `source` of a build from an object with these bytes."""
    bucket = f"{PROJECT}-bucket"
    world.cloud.storage_client(PROJECT).bucket(bucket).blob(name).upload_from_string(data)
    return {"storage_source": {"bucket": bucket, "object_": name}}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_build_that_succeeds_has_digests_times_and_a_log(world: World) -> None:
    operation = begin(world)
    assert operation.metadata.build.id
    assert operation.metadata.build.status == Build.Status.QUEUED
    built = operation.result(timeout=TIMEOUT_S)
    assert built.status == Build.Status.SUCCESS
    assert [image.name for image in built.results.images] == [IMAGE]
    assert built.results.images[0].digest.startswith("sha256:")
    assert set(built.timing) == {"FETCHSOURCE", "BUILD", "PUSH"}
    assert built.source_provenance.resolved_storage_source.generation
    assert not built.warnings
    entries = world.cloud.client(LoggingServiceV2Client).list_log_entries(
        request={
            "resource_names": [f"projects/{PROJECT}"],
            "filter": f'resource.type="build" AND resource.labels.build_id="{built.id}"',
        }
    )
    assert "DONE" in [entry.text_payload for entry in entries]
    version = world.client("artifactregistry").get_tag(
        request={"name": f"{PARENT}/repositories/images/packages/server/tags/v1"}
    )
    assert version.version.endswith(built.results.images[0].digest)


def test_a_source_that_is_not_there_fails_the_build(world: World) -> None:
    source = {"storage_source": {"bucket": f"{PROJECT}-bucket", "object_": "gone.tar.gz"}}
    build = failed(world, source=source)
    assert build.status == Build.Status.FAILURE
    assert build.failure_info.type_ == FAILURE.FETCH_SOURCE_FAILED
    assert "gone.tar.gz does not exist" in build.status_detail


def test_an_archive_that_is_none_fails_the_build(world: World) -> None:
    build = failed(world, source=upload(world, "bad.tar.gz", b"no archive"))
    assert build.failure_info.type_ == FAILURE.FETCH_SOURCE_FAILED
    assert "cannot be read" in build.failure_info.detail


def test_a_source_of_a_generation_that_is_gone_fails_the_build(world: World) -> None:
    source = upload(world, "once.tar.gz", b"x")
    source["storage_source"]["generation"] = 1
    build = failed(world, source=source)
    assert build.failure_info.type_ == FAILURE.FETCH_SOURCE_FAILED
    assert "once.tar.gz#1 does not exist" in build.status_detail


@pytest.mark.parametrize(
    ("roles", "kind", "words"),
    [
        (
            ("artifactregistry.writer", "logging.logWriter"),
            FAILURE.FETCH_SOURCE_FAILED,
            "storage.objects.get",
        ),
        (
            ("storage.objectViewer", "logging.logWriter"),
            FAILURE.PUSH_NOT_AUTHORIZED,
            "artifactregistry.repositories.uploadArtifacts",
        ),
    ],
)
def test_a_role_that_the_builds_account_lacks_fails_the_build(
    local_cloud: RunningCloud, roles: tuple[str, ...], kind: int, words: str
) -> None:
    world = prepared(local_cloud, "build_roles")
    world.account("runtime", *(f"roles/{role}" for role in roles))
    build = failed(world)
    assert build.status == Build.Status.FAILURE
    assert build.failure_info.type_ == kind
    assert words in build.failure_info.detail


def test_without_the_right_to_write_logs_a_build_carries_a_warning(
    local_cloud: RunningCloud,
) -> None:
    world = prepared(local_cloud, "build_roles")
    world.account("runtime", "roles/storage.objectViewer", "roles/artifactregistry.writer")
    built = begin(world).result(timeout=TIMEOUT_S)
    assert built.status == Build.Status.SUCCESS
    assert "roles/logging.logWriter" in built.warnings[0].text


def test_a_repository_that_is_not_there_fails_the_build(local_cloud: RunningCloud) -> None:
    build = failed(prepared(local_cloud, "repository"))
    assert build.failure_info.type_ == FAILURE.PUSH_FAILED
    assert "repositories/images does not exist" in build.failure_info.detail


def test_an_image_that_no_step_builds_fails_the_build_and_pushes_nothing(world: World) -> None:
    other = IMAGE.replace("server", "other")
    build = failed(world, images=[IMAGE, other])
    assert build.failure_info.type_ == FAILURE.PUSH_IMAGE_NOT_FOUND
    assert other in build.failure_info.detail
    images = world.client("artifactregistry").list_docker_images(
        request={"parent": f"{PARENT}/repositories/images"}
    )
    assert not list(images)


def test_a_step_that_fails_names_the_line(world: World) -> None:
    text = 'FROM python:3.11-slim\nCOPY f.py /f.py\nRUN ["python", "/f.py"]\n'
    source = upload(world, "f.tar.gz", archive({"Dockerfile": text, "f.py": "raise SystemExit(3)"}))
    build = failed(world, source=source)
    assert build.status == Build.Status.FAILURE
    assert build.failure_info.type_ == FAILURE.USER_BUILD_STEP
    assert build.steps[0].status == Build.Status.FAILURE
    assert "line 3" in build.failure_info.detail
    assert "code 3" in build.failure_info.detail


@pytest.mark.promise("S15")
def test_the_time_of_a_build_runs_out(local_cloud_factory: CloudFactory) -> None:
    clock = FakeClock()
    world = prepared(local_cloud_factory(clock=clock))
    files = {"Dockerfile": SLEEPER, "wait.py": "import time\ntime.sleep(600)\n"}
    operation = begin(
        world, source=upload(world, "s.tar.gz", archive(files)), timeout={"seconds": 60}
    )
    build = operation.metadata.build
    until(lambda: "FETCHSOURCE" in read(world, build).timing)
    clock.advance(61)
    with pytest.raises(exceptions.DeadlineExceeded):
        operation.result(timeout=TIMEOUT_S)
    assert read(world, build).status == Build.Status.TIMEOUT


@pytest.fixture
def full(local_cloud_factory: CloudFactory) -> tuple[World, FakeClock]:
    """A cloud in which no build ever gets its turn."""
    clock = FakeClock()

    def build(kernel: Any, _: Any) -> surface.CloudBuildSurface:
        return surface.CloudBuildSurface(kernel, slots=0)

    services = [build if one is surface.build else one for one in SERVICES]
    return prepared(local_cloud_factory(clock=clock, services=services)), clock


def test_a_build_expires_in_the_queue(full: tuple[World, FakeClock]) -> None:
    world, clock = full
    operation = begin(world)
    clock.advance(601)
    with pytest.raises(exceptions.DeadlineExceeded):
        operation.result(timeout=TIMEOUT_S)
    assert read(world, operation.metadata.build).status == Build.Status.EXPIRED


def test_a_queued_build_can_be_cancelled_once(full: tuple[World, FakeClock]) -> None:
    world, _ = full
    operation = begin(world)
    build = operation.metadata.build
    request = {"name": build.name, "project_id": PROJECT, "id": build.id}
    cancelled = world.client("cloudbuild").cancel_build(request=request)
    assert cancelled.status == Build.Status.CANCELLED
    with pytest.raises(exceptions.Cancelled):
        operation.result(timeout=TIMEOUT_S)
    with pytest.raises(exceptions.FailedPrecondition):
        world.client("cloudbuild").cancel_build(request=request, retry=None)


def test_builds_are_listed_newest_first_by_tag_and_status(full: tuple[World, FakeClock]) -> None:
    world, clock = full
    names = []
    for number in range(3):
        names.append(begin(world, tags=[f"tag-{number % 2}"]).metadata.build.name)
        clock.advance(1)

    def listed(filter_: str) -> list[str]:
        request = {"parent": PARENT, "project_id": PROJECT, "filter": filter_, "page_size": 1}
        return [one.name for one in world.client("cloudbuild").list_builds(request=request)]

    assert listed("") == names[::-1]
    assert listed('tags="tag-0" AND (status="QUEUED" OR status="WORKING")') == [names[2], names[0]]
    assert listed('NOT status="QUEUED"') == []
    with pytest.raises(exceptions.MethodNotImplemented, match="create_time"):
        listed('create_time>"2026-01-01T00:00:00Z"')


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("no default build account", {"service_account": ""}),
        ("build.substitutions", {"substitutions": {"_A": "1"}}),
        ("substitutions, as in build.images", {"images": [IMAGE.replace(PROJECT, "$PROJECT_ID")]}),
        ("build.logs_bucket", {"logs_bucket": "gs://logs"}),
        ("build.steps.entrypoint", {"steps": [{"name": "docker", "entrypoint": "bash"}]}),
        ("build.steps.timeout", {"steps": [{"name": "docker", "timeout": {"seconds": 5}}]}),
        ("build.steps.secret_env", {"steps": [{"name": "docker", "secret_env": ["S"]}]}),
        ("build.options.pool", {"options": {"pool": {"name": "p"}}}),
        ("build.options.worker_pool", {"options": {"worker_pool": "p"}}),
        ("build.options.secret_env", {"options": {"secret_env": ["S"]}}),
        ("build.options.env", {"options": {"env": ["A=1"]}}),
        ("build.options.volumes", {"options": {"volumes": [{"name": "v", "path": "/v"}]}}),
        ("build.options.dynamic_substitutions", {"options": {"dynamic_substitutions": True}}),
        ("build.options.automap_substitutions", {"options": {"automap_substitutions": True}}),
        (
            "build.options.requested_verify_option",
            {"options": {"requested_verify_option": "VERIFIED"}},
        ),
        (
            "build.options.enable_structured_logging",
            {"options": {"enable_structured_logging": True}},
        ),
        ("source_fetcher", {"source": {"storage_source": {"bucket": "b", "source_fetcher": 1}}}),
        ("one step", {"steps": [{"name": "gcr.io/cloud-builders/gcloud"}]}),
        ("one step", {"steps": [{"name": "docker"}, {"name": "docker"}]}),
        ("--no-cache", {"steps": [{"name": "docker", "args": ["build", "--no-cache", "."]}]}),
        ("build.source.git_source", {"source": {"git_source": {"url": "https://example.com"}}}),
        ("storage_source", {"source": {}}),
        (r"\.tar\.gz", {"source": {"storage_source": {"bucket": "b", "object_": "s.zip"}}}),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(
    full: tuple[World, FakeClock], words: str, change: dict[str, Any]
) -> None:
    world, _ = full
    with pytest.raises(exceptions.MethodNotImplemented, match=words):
        begin(world, **change)
