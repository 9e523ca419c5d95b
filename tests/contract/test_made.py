"""What a deployment is made of, read back with the official clients, and found by what looks for leftovers."""

from typing import Any

import pytest
from google.cloud import resourcemanager_v3, run_v2, service_usage_v1, workflows_v1
from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from tests.support.pipeline import Deployer, QuickPipeline

from gpupipe.core.names import BUCKETS, SERVICES
from gpupipe.deploy import destroy
from gpupipe.deploy.spec import APIS

NEEDED = (
    "run", "workflows", "workflowexecutions", "storage", "cloudbuild", "eventarc", "pubsub",
    "artifactregistry", "iam", "cloudresourcemanager", "logging", "monitoring",
)  # fmt: skip


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Deployer:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator


@pytest.mark.promise(16)
@pytest.mark.promise(17)
@pytest.mark.promise(18)
@pytest.mark.promise(19)
@pytest.mark.promise(20)
@pytest.mark.promise(21)
@pytest.mark.promise(22)
@pytest.mark.promise("S12")
def test_the_apis_that_are_used_are_enabled_and_no_others(pipeline: Deployer) -> None:
    client = pipeline.cloud.client(service_usage_v1.ServiceUsageClient)
    listed = client.list_services(
        request={"parent": f"projects/{pipeline.project}", "filter": "state:ENABLED"}
    )
    enabled = {one.name.rpartition("/")[2] for one in listed}
    assert {f"{api}.googleapis.com" for api in NEEDED} <= enabled
    assert {f"{api}.googleapis.com" for api in NEEDED} <= APIS, (
        "what a new project has is asked for too"
    )
    assert enabled >= APIS
    assert not {"aiplatform.googleapis.com", "containerregistry.googleapis.com"} & enabled


def service(pipeline: Deployer, name: str) -> run_v2.Service:
    names = pipeline.spec.names
    client = pipeline.cloud.client(run_v2.ServicesClient)
    return client.get_service(name=f"{names.location}/services/{names.service(name)}")


@pytest.mark.promise("S16", 104, "D15")
@pytest.mark.promise(31)
@pytest.mark.promise(70)
@pytest.mark.promise("S59")
@pytest.mark.promise(48)
@pytest.mark.promise(49)
@pytest.mark.promise(56)
@pytest.mark.promise(57)
@pytest.mark.promise(66)
@pytest.mark.promise("D8")
def test_the_inference_service_has_a_gpu_that_is_billed_while_it_runs(pipeline: Deployer) -> None:
    found: Any = service(pipeline, "gpu-inference").template
    resources = found.containers[0].resources
    assert found.node_selector.accelerator == "nvidia-l4"
    assert dict(resources.limits) == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    assert (resources.cpu_idle, resources.startup_cpu_boost) == (False, True)
    assert found.gpu_zonal_redundancy_disabled
    assert found.scaling.min_instance_count == 0
    assert {one.name: one.value for one in found.containers[0].env}["DEVICE"] == "cuda"
    assert found.scaling.max_instance_count == 2  # what a new project's 20 CPU have room for
    assert (found.timeout.total_seconds(), found.max_instance_request_concurrency) == (300, 64)


@pytest.mark.promise(104)
@pytest.mark.promise(32)
@pytest.mark.promise(33)
@pytest.mark.promise(71)
@pytest.mark.promise(72)
@pytest.mark.promise(58)
@pytest.mark.promise(59)
@pytest.mark.promise("S17")
@pytest.mark.promise("S18")
@pytest.mark.parametrize(("name", "memory"), [("preprocess", "2Gi"), ("postprocess", "1Gi")])
def test_the_other_services_are_small_and_billed_by_request(
    pipeline: Deployer, name: str, memory: str
) -> None:
    found = service(pipeline, name).template
    resources = found.containers[0].resources
    assert dict(resources.limits) == {"cpu": "1", "memory": memory}
    assert resources.cpu_idle
    assert (found.node_selector.accelerator, found.scaling.min_instance_count) == ("", 0)
    assert found.max_instance_request_concurrency == 10


@pytest.mark.promise("S19")
@pytest.mark.parametrize("name", SERVICES)
def test_services_know_their_project_and_region(pipeline: Deployer, name: str) -> None:
    variables = {one.name: one.value for one in service(pipeline, name).template.containers[0].env}
    assert variables["GOOGLE_CLOUD_PROJECT"] == pipeline.project
    assert variables["GOOGLE_CLOUD_REGION"] == "us-central1"


def bucket(pipeline: Deployer, role: str) -> Any:
    client = pipeline.cloud.storage_client(project=pipeline.project)
    return client.get_bucket(pipeline.spec.names.bucket(role))


@pytest.mark.promise(38)
@pytest.mark.promise(39)
@pytest.mark.promise(40)
@pytest.mark.promise(74)
@pytest.mark.promise("S13")
@pytest.mark.parametrize("role", ["input", "models", "output"])
def test_a_bucket_is_in_the_region_and_nobody_elses(pipeline: Deployer, role: str) -> None:
    found = bucket(pipeline, role)
    assert found.name == f"ml-pipeline-{role}-{pipeline.project}"
    assert (found.location, found.storage_class) == ("US-CENTRAL1", "STANDARD")
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert found.labels["gpupipe-role"] == role


@pytest.mark.promise(61)
def test_the_workflow_waits_as_long_as_a_service_may_take(pipeline: Deployer) -> None:
    names, client = pipeline.spec.names, pipeline.cloud.client(workflows_v1.WorkflowsClient)
    workflow = client.get_workflow(name=f"{names.location}/workflows/{names.workflow}")
    assert workflow.user_env_vars["SERVICE_TIMEOUT"] == "300"
    for one in SERVICES:
        template: Any = service(pipeline, one).template
        assert template.timeout.total_seconds() == 300


@pytest.mark.promise(67)
@pytest.mark.promise(68)
@pytest.mark.promise(69)
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_its_image_of_the_repository_by_digest(
    pipeline: Deployer, name: str
) -> None:
    names, client = pipeline.spec.names, pipeline.cloud.client(ArtifactRegistryClient)
    reference = service(pipeline, name).template.containers[0].image
    assert reference.startswith(f"{names.image(name)}@sha256:")
    parent = f"{names.location}/repositories/{names.repository}"
    assert reference in {one.uri for one in client.list_docker_images(parent=parent)}


@pytest.mark.promise("S56", 108, "D31", "D20")
@pytest.mark.parametrize("role", BUCKETS)
def test_a_bucket_forgets_its_files_but_models(pipeline: Deployer, role: str) -> None:
    rules = [rule["condition"] for rule in bucket(pipeline, role).lifecycle_rules]
    ages = [one["age"] for one in rules if "age" in one]
    assert ages == {"models": [], "work": [1]}.get(role, [30])


@pytest.mark.promise("S55")
@pytest.mark.promise("S70")
def test_only_the_input_bucket_is_versioned(pipeline: Deployer) -> None:
    versioned = {role for role in BUCKETS if bucket(pipeline, role).versioning_enabled}
    assert versioned == {"input"}


@pytest.mark.promise(76)
@pytest.mark.promise("S22")
@pytest.mark.promise("D7")
def test_the_trigger_is_where_its_bucket_is(pipeline: Deployer) -> None:
    trigger = pipeline.connect().eventarc.get(pipeline.spec.trigger("us-central1").name)
    assert trigger is not None
    assert bucket(pipeline, "input").location.lower() == trigger.name.split("/")[3]
    assert trigger.name.endswith("/ml-pipeline-storage-trigger")
    assert trigger.filters == {
        "type": "google.cloud.storage.object.v1.finalized",
        "bucket": pipeline.spec.names.bucket("input"),
    }


@pytest.mark.promise("D6")
def test_googles_agents_may_do_what_events_need(pipeline: Deployer) -> None:
    client = pipeline.cloud.client(resourcemanager_v3.ProjectsClient)
    policy = client.get_iam_policy(resource=f"projects/{pipeline.project}")
    members = {str(one.role): " ".join(one.members) for one in policy.bindings}
    assert "@gs-project-accounts.iam.gserviceaccount.com" in members["roles/pubsub.publisher"]
    assert "@gcp-sa-eventarc.iam.gserviceaccount.com" in members["roles/eventarc.serviceAgent"]


@pytest.mark.promise(135)
@pytest.mark.promise(136)
@pytest.mark.promise(137)
@pytest.mark.promise(138)
@pytest.mark.promise("D30")
def test_what_looks_for_leftovers_sees_everything_that_there_is(pipeline: Deployer) -> None:
    """A deployment that nobody has destroyed: all of it would be left over."""
    names = pipeline.spec.names
    found = destroy.inventory(pipeline.engine().world, keep=frozenset(), parallelism=8)
    by_kind: dict[str, list[str]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one.name)
    assert by_kind["service"] == sorted(names.service(one) for one in SERVICES)
    assert by_kind["workflow"] == [names.workflow]
    assert by_kind["trigger"] == [names.trigger]
    assert by_kind["bucket"] == sorted(names.bucket(role) for role in BUCKETS)
    assert by_kind["repository"] == [names.repository]
    assert len(by_kind["service account"]) == 6
    assert by_kind.keys() >= {"dashboard", "alert policies", "log metrics"}
    told = " ".join(by_kind)
    assert "topic" in told
    assert "subscription" in told
    assert "binding" in told
