"""`gpupipe status`: health asked of the services themselves, and the outputs of the recipe."""

import subprocess
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support.clock import START
from tests.support.pipeline import Deployer, QuickPipeline

from gpupipe.cloud.target import Kind, Target
from gpupipe.core.names import SERVICES
from gpupipe.deploy.activity import Activity
from gpupipe.deploy.checks import HEALTHY, NOT_CHECKED, UNHEALTHY, Check, check_all
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.firing import Alerts
from gpupipe.deploy.health import State, states
from gpupipe.deploy.recipe_outputs import outputs, read
from gpupipe.deploy.step import World
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.render.status import Status, status_env, status_json

ROLE = "roles/iam.serviceAccountOpenIdTokenCreator"
TERRAFORM = [
    "project_id",
    "region",
    "environment",
    "service_prefix",
    "input_bucket_name",
    "input_bucket_url",
    "model_bucket_name",
    "model_bucket_url",
    "output_bucket_name",
    "output_bucket_url",
    "gpu_inference_service_name",
    "gpu_inference_service_url",
    "preprocess_service_name",
    "preprocess_service_url",
    "postprocess_service_name",
    "postprocess_service_url",
    "gpu_service_config",
    "workflow_name",
    "workflow_id",
    "workflow_state",
    "eventarc_trigger_name",
    "eventarc_trigger_uid",
    "eventarc_service_account_email",
    "workflow_service_account_email",
    "container_registry_name",
    "container_registry_url",
    "monitoring_dashboard_url",
    "log_sink_name",
    "enabled_apis",
    "pipeline_endpoints",
    "workflow_execution_commands",
    "testing_commands",
    "cost_estimation",
    "security_configuration",
    "cleanup_commands",
]
INFRASTRUCTURE_MANAGER = [
    "project_id",
    "region",
    "input_bucket_name",
    "models_bucket_name",
    "output_bucket_name",
    "gpu_inference_service_url",
    "preprocessing_service_url",
    "postprocessing_service_url",
    "workflow_name",
    "trigger_name",
    "service_account_email",
]


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Deployer:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator


@pytest.fixture(scope="module")
def may_ask(pipeline: Deployer) -> Deployer:
    """The same, where the operator may have tokens of the workflow's account made."""
    account = (
        f"projects/{pipeline.project}/serviceAccounts/{pipeline.spec.names.account('workflow')}"
    )
    pipeline.cloud.kernel.policies.grant(account, ROLE, OPERATOR.member)
    return pipeline


@pytest.mark.promise(125)
@pytest.mark.promise(131)
def test_without_the_grant_nothing_is_checked_and_the_grant_is_named(pipeline: Deployer) -> None:
    found = check_all(pipeline.connect(), pipeline.spec)
    assert [one.service for one in found] == list(SERVICES)
    for one in found:
        assert one.verdict == NOT_CHECKED
        assert f"{ROLE} on {pipeline.spec.names.account('workflow')}" in one.detail


@pytest.mark.promise(131)
@pytest.mark.promise(125)
@pytest.mark.promise("D26")
def test_with_it_each_service_says_how_it_is(may_ask: Deployer) -> None:
    found = {one.service: one for one in check_all(may_ask.connect(), may_ask.spec)}
    assert {one.verdict for one in found.values()} == {HEALTHY}, found
    assert found["gpu-inference"].detail == "cpu (L4 emulated)"
    assert found["preprocess"].said["service"] == "preprocess"


def test_a_service_that_does_not_answer_is_unhealthy(may_ask: Deployer) -> None:
    may_ask.cloud.inject("run.services.invoke", "UNAVAILABLE", times=1)
    verdicts = [one.verdict for one in check_all(may_ask.connect(), may_ask.spec)]
    assert sorted(verdicts) == [HEALTHY, HEALTHY, UNHEALTHY]


def told(pipeline: Deployer) -> dict[str, Any]:
    world = World(pipeline.connect(), pipeline.spec, Facts())
    states(world)
    return outputs(pipeline.spec, read(world, world.facts.uris), " --local")


@pytest.mark.promise("S67")
@pytest.mark.promise("S72")
@pytest.mark.promise(89)
def test_every_output_of_the_recipe_is_there_under_its_name(pipeline: Deployer) -> None:
    found = told(pipeline)
    assert (len(TERRAFORM), len(INFRASTRUCTURE_MANAGER)) == (35, 11)
    assert set(found) == {*TERRAFORM, *INFRASTRUCTURE_MANAGER}
    assert found["project_id"] == pipeline.project
    assert found["preprocess_service_url"] in found["pipeline_endpoints"]["preprocess_health"]
    service = pipeline.connect().run.get(pipeline.spec.service_name("gpu-inference"))
    assert service is not None
    assert found["gpu_inference_service_url"] == service.uri
    assert found["gpu_service_config"] == {
        "memory_gb": 16, "cpu_count": 4, "gpu_count": 1, "gpu_type": "nvidia-l4",
        "timeout_seconds": 300, "concurrency": 64, "max_instances": service.service.max_instances,
    }  # fmt: skip
    assert found["workflow_state"] == "ACTIVE"
    trigger = pipeline.connect().eventarc.get(pipeline.spec.trigger("us-central1").name)
    assert trigger is not None
    assert found["eventarc_trigger_uid"] == trigger.uid != ""
    assert "run.googleapis.com" in found["enabled_apis"]
    (board,) = pipeline.connect().dashboards.labelled(pipeline.project, pipeline.spec.identity)
    assert found["monitoring_dashboard_url"] == f"{pipeline.cloud.http}/v1/{board.resource}"
    assert len(found["pipeline_endpoints"]) == 6
    assert len(found["cost_estimation"]) == 5
    assert len(found["testing_commands"]) == 5
    assert len(found["security_configuration"]["service_accounts_created"]) == 6
    assert not [
        one for one in found["security_configuration"]["iam_roles_granted"] if "admin" in one
    ]


@pytest.mark.promise(15)
def test_what_the_services_cost_follows_from_what_they_are_set_to(pipeline: Deployer) -> None:
    world = World(pipeline.connect(), pipeline.spec, Facts())
    found = replace(status(pipeline, {}), resources=states(world))
    idle, worst, _ = found.cost()
    (gpu,) = [one.service for one in found.resources if one.service and one.service.accelerator]
    assert idle.known == 0
    assert worst.known == gpu.max_instances * Decimal("1.04652")
    assert status_json(found)["cost"]["worst_hour"]["known"] == f"{worst.known:f}"


def test_a_role_that_was_taken_away_makes_its_resource_incomplete(pipeline: Deployer) -> None:
    cloud, spec = pipeline.connect(), pipeline.spec
    bucket, service, images = (
        spec.names.bucket("input"),
        spec.service_name("preprocess"),
        spec.repository.name,
    )
    taken = (
        (cloud.storage, bucket, spec.bucket_roles("input")),
        (cloud.run, service, cloud.run.bindings(service)),
        (cloud.registry, images, spec.repository_roles),
    )
    for api, name, roles in taken:
        api.edit_bindings(name, remove=roles)
    try:
        found = states(World(cloud, spec, Facts()))
    finally:
        for api, name, roles in taken:
            api.edit_bindings(name, add=roles)
    lacking = {one.name: one.detail for one in found if one.state == "incomplete"}
    ids = {name.rpartition("/")[2] for _, name, _ in taken}
    assert set(lacking) == ids
    assert "ml-pipeline-pre roles/storage.objectViewer" in lacking[bucket]
    assert not replace(status(pipeline, {}), resources=found).healthy
    assert replace(status(pipeline, {}), resources=states(World(cloud, spec, Facts()))).healthy


def status(pipeline: Deployer, recipe: dict[str, Any], *checks: Check) -> Status:
    return Status(
        target=Target(Kind.LOCAL, pipeline.project, "flag", "--local"),
        spec=pipeline.spec,
        resources=(State("workflow", "w", "ready"),),
        uris={},
        activity=Activity(START, None, None, None, None, ()),
        alerts=Alerts(0, ()),
        pipelines=(),
        outputs=recipe,
        checks=checks,
    )


def test_env_lines_are_what_a_shell_reads(pipeline: Deployer) -> None:
    lines = status_env(status(pipeline, {"odd": "it's $HOME", "none": None, "many": ["x"]}))
    done = subprocess.run(
        ["/bin/sh", "-c", f'{lines}printf "%s %s" "$GPUPIPE_TARGET" "$ODD"'],
        capture_output=True, text=True, check=True, env={"HOME": "/elsewhere"},
    )  # fmt: skip
    assert done.stdout == "local it's $HOME"
    assert "NONE" not in lines
    assert "MANY" not in lines


def test_what_was_not_checked_is_not_unhealthy(pipeline: Deployer) -> None:
    assert status(pipeline, {}, Check("a", NOT_CHECKED)).healthy
    bad = status(pipeline, {}, Check("a", HEALTHY), Check("b", UNHEALTHY, "it answered 503"))
    assert not bad.healthy
    document = status_json(bad)
    assert document["healthy"] is False
    assert document["health"][1] == {
        "service": "b", "verdict": UNHEALTHY, "detail": "it answered 503", "said": {},
    }  # fmt: skip
