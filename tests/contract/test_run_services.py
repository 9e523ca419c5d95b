"""Cloud Run Admin API v2 through the official client: services and revisions, really running."""

from pathlib import Path

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.run_services import NEVER_LISTENS, SERVER, RunTester

from gpupipe.localcloud.kernel.registry_images import ImageConfig

PENDING = run_v2.Condition.State.CONDITION_PENDING
SUCCEEDED = run_v2.Condition.State.CONDITION_SUCCEEDED
FAILED = run_v2.Condition.State.CONDITION_FAILED


@pytest.fixture
def run(local_cloud: RunningCloud, tmp_path: Path) -> RunTester:
    return RunTester(local_cloud, tmp_path)


def test_a_created_service_is_pending_first_and_ready_after(run: RunTester) -> None:
    operation = run.create("svc", run.service(run.image()))
    first, done = operation.metadata, operation.result(timeout=30)
    assert first.reconciling
    assert first.terminal_condition.state == PENDING
    assert first.terminal_condition.type_ == ""
    assert (first.uri, list(first.urls), first.observed_generation) == ("", [], 0)
    assert first.uid
    assert first.generation == 1
    assert first.etag.startswith('"')
    assert first.etag.endswith('"')
    last = operation.metadata
    assert (last.etag, last.uid) == (first.etag, first.uid)
    assert last.latest_created_revision == done.latest_created_revision
    assert done.terminal_condition.type_ == "Ready"
    assert done.terminal_condition.state == SUCCEEDED
    assert {c.type_ for c in done.conditions} == {"RoutesReady", "ConfigurationsReady"}
    assert not done.reconciling
    assert done.observed_generation == done.generation == 1
    assert done.latest_ready_revision == done.latest_created_revision
    assert done.latest_ready_revision.rpartition("/")[2].startswith("svc-00001-")
    assert done.uri == f"{run.cloud.http}/run/{run.cloud.project}/us-central1/svc"
    assert operation.operation.name.startswith(f"{run.parent}/operations/")


def test_a_service_gets_the_recorded_defaults(run: RunTester) -> None:
    bare = run_v2.Service(
        template=run_v2.RevisionTemplate(
            service_account=run.account, containers=[run_v2.Container(image=run.image())]
        )
    )
    created = run.create("svc", bare).result(timeout=30)
    container = created.template.containers[0]
    assert dict(container.resources.limits) == {"cpu": "1000m", "memory": "512Mi"}
    assert (container.ports[0].name, container.ports[0].container_port) == ("http1", 8080)
    assert container.startup_probe.tcp_socket.port == 8080
    assert container.startup_probe.period_seconds == 240
    assert created.template.max_instance_request_concurrency == 80
    assert created.template.timeout.total_seconds() == 300


def test_get_and_list_show_it_and_labels_are_kept(run: RunTester) -> None:
    service = run.service(run.image())
    service.labels["managed-by"] = "gpupipe"
    created = run.create("svc", service).result(timeout=30)
    assert run.services.get_service(name=created.name, timeout=5) == created
    assert [s.name for s in run.services.list_services(parent=run.parent, timeout=5)] == [
        created.name
    ]
    assert dict(created.labels) == {"managed-by": "gpupipe"}
    everywhere = f"projects/{run.cloud.project}/locations/-"
    with pytest.raises(exceptions.InvalidArgument):
        list(run.services.list_services(parent=everywhere, timeout=5))


def test_validate_only_checks_without_image_and_writes_nothing(run: RunTester) -> None:
    image = f"us-central1-docker.pkg.dev/{run.cloud.project}/images/later:v1"
    run.create("svc", run.service(image), validate_only=True).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        run.services.get_service(name=f"{run.parent}/services/svc", timeout=5)


def test_validate_only_of_update_and_delete_writes_nothing(run: RunTester) -> None:
    created = run.deploy()
    changed = run_v2.Service(created, description="changed")
    request = run_v2.UpdateServiceRequest(service=changed, validate_only=True)
    answer = run.services.update_service(request=request, timeout=5).result(timeout=5)
    assert answer.description == "changed"
    request = run_v2.DeleteServiceRequest(name=created.name, validate_only=True)
    assert run.services.delete_service(request=request, timeout=5).result(timeout=5).delete_time
    assert run.services.get_service(name=created.name, timeout=5) == created


def test_an_update_with_a_mask_changes_only_that(run: RunTester) -> None:
    created = run.deploy()
    change = run_v2.Service(name=created.name, labels={"a": "b"}, description="not in the mask")
    request = run_v2.UpdateServiceRequest(service=change, update_mask=FieldMask(paths=["labels"]))
    updated = run.services.update_service(request=request, timeout=5).result(timeout=30)
    assert dict(updated.labels) == {"a": "b"}
    assert updated.description == ""
    assert updated.template == created.template
    assert updated.latest_ready_revision == created.latest_ready_revision
    assert updated.generation == 2


def test_an_update_and_a_delete_under_the_etag_that_was_read(run: RunTester) -> None:
    created = run.deploy()
    created.description = "changed"
    updated = run.services.update_service(service=created, timeout=5).result(timeout=30)
    assert updated.etag != created.etag
    request = run_v2.DeleteServiceRequest(name=created.name, etag=updated.etag)
    assert run.services.delete_service(request=request, timeout=5).result(timeout=30)


def test_an_update_that_may_create_does(run: RunTester) -> None:
    service = run.service(run.image())
    service.name = f"{run.parent}/services/svc"
    request = run_v2.UpdateServiceRequest(service=service, allow_missing=True)
    created = run.services.update_service(request=request, timeout=5).result(timeout=30)
    assert created.generation == 1


def test_what_the_server_sets_is_ignored_in_a_request(run: RunTester) -> None:
    service = run.service(run.image())
    service.uid, service.creator, service.generation = "mine", "me", 7
    created = run.create("svc", service).result(timeout=30)
    assert created.uid != "mine"
    assert created.creator != "me"
    assert created.generation == 1


def test_a_new_template_makes_a_new_revision_that_serves(run: RunTester) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    created.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="blue"))
    updated = run.services.update_service(service=created, timeout=5).result(timeout=30)
    assert updated.latest_ready_revision.rpartition("/")[2].startswith("svc-00002-")
    assert run.get(updated).json()["environ"]["COLOUR"] == "blue"
    names = [r.name for r in run.revisions.list_revisions(parent=created.name, timeout=5)]
    assert len(names) == 2
    everywhere = {"parent": f"{created.name.rpartition('/')[0]}/-", "page_size": 1}
    assert [r.name for r in run.revisions.list_revisions(request=everywhere)] == names
    old = next(name for name in names if name != updated.latest_ready_revision)
    run.revisions.delete_revision(name=old, timeout=5).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        run.revisions.get_revision(name=old, timeout=5)


def test_a_revision_has_the_name_that_the_client_gives(run: RunTester) -> None:
    created = run.deploy(revision="svc-blue")
    assert created.latest_ready_revision == f"{created.name}/revisions/svc-blue"
    created.template.revision = "svc-green"
    updated = run.services.update_service(service=created, timeout=5).result(timeout=30)
    assert updated.latest_ready_revision == f"{created.name}/revisions/svc-green"


def test_a_revision_that_never_listens_fails_and_the_old_one_serves(run: RunTester) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    created.template.containers[0].image = run.image(NEVER_LISTENS)
    operation = run.services.update_service(service=created, timeout=5)
    with pytest.raises(exceptions.GoogleAPICallError, match="no model here"):
        operation.result(timeout=30)
    service = run.services.get_service(name=created.name, timeout=5)
    assert service.terminal_condition.state == FAILED
    assert service.latest_ready_revision == created.latest_ready_revision
    failed = run.revisions.get_revision(name=service.latest_created_revision, timeout=5)
    health = run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
    assert {c.revision_reason for c in failed.conditions} == {health}
    assert run.get(service).status_code == 200


def test_traffic_moves_though_the_newest_revision_has_failed(run: RunTester) -> None:
    """A template that stays makes no new revision, so the service stays failed."""
    created = run.deploy()
    old = created.latest_ready_revision.rpartition("/")[2]
    created.template.containers[0].image = run.image(NEVER_LISTENS)
    with pytest.raises(exceptions.GoogleAPICallError, match="no model here"):
        run.services.update_service(service=created, timeout=5).result(timeout=30)
    failed = run.services.get_service(name=created.name, timeout=5)
    failed.traffic = [run_v2.TrafficTarget(type_=2, revision=old, percent=100)]
    with pytest.raises(exceptions.FailedPrecondition, match="no model here"):
        run.services.update_service(service=failed, timeout=5).result(timeout=30)
    kept = run.services.get_service(name=created.name, timeout=5)
    assert [(one.revision, one.percent) for one in kept.traffic_statuses] == [(old, 100)]
    assert kept.latest_created_revision == failed.latest_created_revision
    assert kept.terminal_condition.state == FAILED


def test_a_missing_image_is_told_by_the_conditions(run: RunTester) -> None:
    image = f"us-central1-docker.pkg.dev/{run.cloud.project}/images/none:v1"
    with pytest.raises(exceptions.NotFound, match="not found") as caught:
        run.create("svc", run.service(image)).result(timeout=30)
    service = run.services.get_service(name=f"{run.parent}/services/svc", timeout=5)
    assert (service.uri, service.latest_ready_revision) == ("", "")
    ready = service.terminal_condition
    assert (ready.type_, ready.state, ready.message) == ("Ready", FAILED, caught.value.message)
    assert ready.reason == run_v2.Condition.CommonReason.REVISION_FAILED
    revision = run.revisions.get_revision(name=service.latest_created_revision, timeout=5)
    assert {(c.type_, c.reason.name) for c in revision.conditions} == {
        ("Ready", "CONTAINER_MISSING"),
        ("ContainerReady", "CONTAINER_MISSING"),
    }
    service.template.containers[0].image = run.image()
    repaired = run.services.update_service(service=service, timeout=5).result(timeout=30)
    assert repaired.terminal_condition.state == SUCCEEDED


def test_the_image_of_another_project_is_run_once_the_agent_may_read_it(run: RunTester) -> None:
    kernel = run.cloud.kernel
    owner = kernel.projects.ensure("image-owner")
    folder = run.scratch / "foreign"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    repository = f"{owner.name}/locations/us-central1/repositories/images"
    config = ImageConfig(cmd=("python", "/server.py"))
    digest = kernel.images.import_folder(repository, "server", folder, config)
    image = f"us-central1-docker.pkg.dev/{owner.id}/images/server@{digest}"
    with pytest.raises(exceptions.PermissionDenied, match="must have permission to read"):
        run.create("svc", run.service(image)).result(timeout=30)
    agent = kernel.agents.create("run.googleapis.com", run.cloud.project)
    kernel.policies.grant(owner.name, "roles/artifactregistry.reader", f"serviceAccount:{agent}")
    service = run.services.get_service(name=f"{run.parent}/services/svc", timeout=5)
    service.template.labels = {"attempt": "2"}  # else there would be no new revision
    updated = run.services.update_service(service=service, timeout=5).result(timeout=30)
    assert updated.terminal_condition.state == SUCCEEDED


def test_a_container_that_never_listens_is_told_by_the_conditions(run: RunTester) -> None:
    silent = "import time; print('loading', flush=True); time.sleep(600)"
    service = run.service(run.image(silent))
    service.template.containers[0].startup_probe = run_v2.Probe(
        tcp_socket=run_v2.TCPSocketAction(), period_seconds=1, failure_threshold=1
    )
    with pytest.raises(exceptions.FailedPrecondition, match="PORT=8080") as caught:
        run.create("svc", service).result(timeout=30)
    assert "loading" in caught.value.message
    found = run.services.get_service(name=f"{run.parent}/services/svc", timeout=5)
    states = {c.type_: c.state for c in found.conditions}
    assert states == {"RoutesReady": FAILED, "ConfigurationsReady": FAILED}
    assert found.terminal_condition.message == caught.value.message
    assert not found.reconciling
    assert found.observed_generation == 1


def test_a_delete_ends_the_deployment_that_waits(run: RunTester) -> None:
    service = run.service(run.image("import time; print('up', flush=True); time.sleep(600)"))
    operation = run.create("svc", service)
    run.wait_for_line("svc", "up")
    name = f"{run.parent}/services/svc"
    run.services.delete_service(name=name, timeout=5).result(timeout=30)
    with pytest.raises(exceptions.Aborted):
        operation.result(timeout=30)
    with pytest.raises(exceptions.NotFound):
        run.services.get_service(name=name, timeout=5)


def test_a_service_that_is_being_deleted_cannot_be_made_again_yet(run: RunTester) -> None:
    created = run.deploy()
    with run.deployment_held(created.name):
        deleting = run.services.delete_service(name=created.name, timeout=5)
        with pytest.raises(exceptions.Aborted, match="being deleted"):
            run.create("svc", run.service(run.image()))
    deleting.result(timeout=30)
    assert run.deploy().uid != created.uid


def test_traffic_can_stay_with_an_old_revision(run: RunTester) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    old = created.latest_ready_revision.rpartition("/")[2]
    created.traffic = [run_v2.TrafficTarget(type_=2, revision=old, percent=100)]
    created.template.containers[0].env.append(run_v2.EnvVar(name="COLOUR", value="blue"))
    updated = run.services.update_service(service=created, timeout=5).result(timeout=30)
    assert updated.traffic_statuses[0].revision == old
    assert run.get(updated).json()["environ"]["K_REVISION"] == old


def test_a_tag_reaches_its_revision_without_traffic(run: RunTester) -> None:
    created = run.deploy(revision="svc-blue")
    run.grant(created, f"serviceAccount:{run.account}")
    created.template.revision = "svc-green"
    created.traffic = [
        run_v2.TrafficTarget(type_=2, revision="svc-green", percent=100),
        run_v2.TrafficTarget(type_=2, revision="svc-blue", tag="before"),
    ]
    updated = run.services.update_service(service=created, timeout=5).result(timeout=30)
    tag = updated.traffic_statuses[1]
    assert (tag.tag, tag.uri) == ("before", updated.uri.replace("/svc", "/before---svc"))
    assert updated.traffic_statuses[0].uri == ""
    assert run.get(updated).json()["environ"]["K_REVISION"] == "svc-green"
    # The audience stays the service's own uri.
    token = {"Authorization": f"Bearer {run.id_token(updated.uri)}"}
    with httpx.Client(trust_env=False, timeout=20) as client:
        answer = client.get(f"{tag.uri}/path", headers=token).json()
        assert (answer["environ"]["K_REVISION"], answer["path"]) == ("svc-blue", "/path")
        assert client.get(tag.uri.replace("before", "none"), headers=token).status_code == 404
        assert client.get(tag.uri).status_code == 403
    with pytest.raises(exceptions.FailedPrecondition):
        run.revisions.delete_revision(name=f"{created.name}/revisions/svc-blue", timeout=5)


def test_traffic_to_a_missing_revision_fails_the_routes_and_the_old_ones_stay(
    run: RunTester,
) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    created.traffic = [run_v2.TrafficTarget(type_=2, revision="svc-00009-xyz", percent=100)]
    operation = run.services.update_service(service=created, timeout=5)
    with pytest.raises(exceptions.FailedPrecondition, match="does not exist or is deleted"):
        operation.result(timeout=30)
    service = run.services.get_service(name=created.name, timeout=5)
    states = {c.type_: c.state for c in service.conditions}
    assert states == {"RoutesReady": FAILED, "ConfigurationsReady": SUCCEEDED}
    assert service.terminal_condition.state == FAILED
    assert service.traffic_statuses == created.traffic_statuses
    assert run.get(service).status_code == 200


def test_delete_tells_until_when_and_the_name_is_free_again(run: RunTester) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    gone = run.services.delete_service(name=created.name, timeout=5).result(timeout=30)
    assert (gone.expire_time - gone.delete_time).days == 30
    with pytest.raises(exceptions.NotFound):
        run.services.get_service(name=created.name, timeout=5)
    request = {"parent": run.parent, "show_deleted": True}
    assert [s.uid for s in run.services.list_services(request=request, timeout=5)] == [created.uid]
    again = run.deploy()
    assert again.uid != created.uid
    policy = run.services.get_iam_policy(request={"resource": again.name}, timeout=5)
    assert not policy.bindings


def test_after_a_restart_the_service_answers_at_its_new_uri(run: RunTester) -> None:
    created = run.deploy()
    run.grant(created, f"serviceAccount:{run.account}")
    run.cloud.stop()
    cloud = start_cloud(run.cloud.home)
    try:
        again = RunTester(cloud, run.scratch / "again")
        service = again.services.get_service(name=created.name, timeout=5)
        assert service.uri.startswith(cloud.http)
        assert again.get(service).json()["environ"]["K_SERVICE"] == "svc"
    finally:
        cloud.stop()
