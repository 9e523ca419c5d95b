"""The real gcloud looks at a deployed pipeline: its workflow, services, trigger, builds and images."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.gcloud import Gcloud, needs_gcloud
from tests.support.pipeline import PROJECT, QuickPipeline

pytestmark = [needs_gcloud, pytest.mark.long]
REGION = ("--region", "us-central1")
LOCATION = ("--location", "us-central1")
WORKFLOW = "ml-pipeline-ml-pipeline"
SERVICE = "ml-pipeline-gpu-inference"


@pytest.fixture
def gcloud(quick_pipeline: QuickPipeline, tmp_path: Path) -> Gcloud:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return Gcloud(quick_pipeline.cloud, tmp_path)


def found(gcloud: Gcloud, *command: str) -> Any:
    return json.loads(gcloud(*command, "--project", PROJECT, "--format=json"))


def short(name: str) -> str:
    return name.rpartition("/")[2]


def test_workflows(gcloud: Gcloud) -> None:
    assert WORKFLOW in [short(one["name"]) for one in found(gcloud, "workflows", "list", *LOCATION)]
    one = found(gcloud, "workflows", "describe", WORKFLOW, *LOCATION)
    assert (one["state"], bool(one["revisionId"])) == ("ACTIVE", True)
    data = ("--data", "{}")
    begun = found(gcloud, "workflows", "execute", WORKFLOW, *data, *LOCATION)
    listed = found(gcloud, "workflows", "executions", "list", WORKFLOW, *LOCATION)
    assert begun["name"] in [each["name"] for each in listed]
    of = (short(begun["name"]), "--workflow", WORKFLOW, *LOCATION)
    shown = found(gcloud, "workflows", "executions", "describe", *of)
    assert (shown["argument"], shown["workflowRevisionId"]) == ("{}", one["revisionId"])


def test_run(gcloud: Gcloud) -> None:
    services = found(gcloud, "run", "services", "list", *REGION)
    assert SERVICE in [one["metadata"]["name"] for one in services]
    one = found(gcloud, "run", "services", "describe", SERVICE, *REGION)
    assert one["status"]["url"].startswith("http")
    revisions = found(gcloud, "run", "revisions", "list", "--service", SERVICE, *REGION)
    latest = one["status"]["latestReadyRevisionName"]
    assert latest in [each["metadata"]["name"] for each in revisions]
    policy = found(gcloud, "run", "services", "get-iam-policy", SERVICE, *REGION)
    assert [each["role"] for each in policy["bindings"]] == ["roles/run.invoker"]


def test_triggers(gcloud: Gcloud) -> None:
    (listed,) = found(gcloud, "eventarc", "triggers", "list", *LOCATION)
    one = found(gcloud, "eventarc", "triggers", "describe", short(listed["name"]), *LOCATION)
    assert short(one["destination"]["workflow"]) == WORKFLOW
    assert {"attribute": "bucket", "value": f"ml-pipeline-input-{PROJECT}"} in one["eventFilters"]


def test_builds_and_images(gcloud: Gcloud) -> None:
    builds = found(gcloud, "builds", "list", *REGION)
    assert {one["status"] for one in builds} == {"SUCCESS"}
    build = builds[0]["id"]
    assert found(gcloud, "builds", "describe", build, *REGION)["id"] == build
    assert "FROM" in gcloud("builds", "log", build, *REGION, "--project", PROJECT)
    (one,) = found(gcloud, "artifacts", "repositories", "list", *LOCATION)
    assert one["format"] == "DOCKER"
    path = f"us-central1-docker.pkg.dev/{PROJECT}/{short(one['name'])}"
    images = found(gcloud, "artifacts", "docker", "images", "list", path)
    assert all(each["version"].startswith("sha256:") for each in images)
    assert images
