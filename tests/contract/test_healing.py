"""A deploy or destroy goes on by itself through what passes, and makes nothing twice.

In process, on a fast clock, each on a project of its own.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud.devtools import cloudbuild_v1
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.proofs import check_complete, check_gone

from gpupipe.deploy.action import Verb
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.step import World, action

Fault = dict[str, Any]
_numbers = itertools.count(1)
BUSY: Fault = {"kind": "error", "code": "UNAVAILABLE", "times": 2}
LIMITED: Fault = {"kind": "error", "code": "RESOURCE_EXHAUSTED", "retry_after_s": 1}
LOST: Fault = {"kind": "lost"}
IMAGES = 3
RESET: Fault = {"kind": "reset"}
FAILED: Fault = {"kind": "operation", "code": "UNAVAILABLE"}
CREATES = (
    "artifactregistry.repositories.create",
    "cloudbuild.builds.create",
    "eventarc.triggers.create",
    "iam.serviceAccounts.create",
    "run.services.create",
    "storage.buckets.insert",
    "workflows.workflows.create",
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("healing") / "cloud", clock=FastClock())
    yield running
    running.stop()


@pytest.fixture
def deployer(cloud: RunningCloud) -> Iterator[Deployer]:
    yield tiny_deployer(cloud, f"healing-{next(_numbers)}", parallelism=1)
    cloud.control("DELETE", "faults")


def builds(deployer: Deployer) -> list[str]:
    """The source's tag of each build: all else has a name that can be there only once."""
    client = deployer.cloud.client(cloudbuild_v1.CloudBuildClient)
    parent = f"projects/{deployer.project}/locations/us-central1"
    request = {"parent": parent, "project_id": deployer.project}
    return [str(one.tags[0]) for one in client.list_builds(request=request)]


def met(cloud: RunningCloud) -> dict[str, int]:
    """What is left of each fault."""
    faults = cloud.control("GET", "faults")["faults"]
    return {fault["method"]: fault["left"] for fault in faults}


def deploy_through(deployer: Deployer, faults: dict[str, Fault]) -> None:
    """One deploy meets all these faults and is complete; a second one writes nothing."""
    cloud = deployer.cloud
    for method, fault in faults.items():
        cloud.control("POST", "faults", {"method": method, **fault})
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    assert met(cloud) == dict.fromkeys(faults, 0)
    assert len(set(builds(deployer))) == len(builds(deployer)) == IMAGES
    check_complete(deployer)


@pytest.mark.parametrize(
    "fault", [BUSY, LIMITED, LOST, RESET], ids=["busy", "limited", "lost", "reset"]
)
@pytest.mark.promise(36)
def test_every_create_faulted_in_one_deploy_heals(deployer: Deployer, fault: Fault) -> None:
    policies = ("run.services.setIamPolicy", "storage.buckets.setIamPolicy")
    deploy_through(deployer, dict.fromkeys((*CREATES, *policies), fault))


def test_a_build_that_ends_between_the_plan_and_its_step_is_not_repeated(
    deployer: Deployer,
) -> None:
    images = [step for step in deployer.steps if step.kind == "image"]
    world = World(deployer.connect(), deployer.spec, Facts())
    planned = [(step, action(step, world, Verb.CREATE, "not built yet")) for step in images]
    assert not deployer.deploy(canary=False).outcome.failed
    for step, create in planned:
        step.apply(world, create)
    assert len(builds(deployer)) == IMAGES
    assert all("@sha256:" in world.facts.images[step.name(world)] for step in images)


def test_every_operation_that_ends_in_a_passing_error_is_asked_for_again(
    deployer: Deployer,
) -> None:
    operations = (
        "artifactregistry.repositories",
        "eventarc.triggers",
        "run.services",
        "workflows.workflows",
    )
    creates = {f"{kind}.create": FAILED for kind in operations}
    deploy_through(deployer, creates)
    deletes = {f"{kind}.delete": FAILED for kind in operations}
    for method, fault in {**deletes, "iam.serviceAccounts.delete": LOST,
                          "storage.buckets.delete": LOST}.items():  # fmt: skip
        deployer.cloud.control("POST", "faults", {"method": method, **fault})
    check_gone(deployer)
    assert set(met(deployer.cloud).values()) == {0}
