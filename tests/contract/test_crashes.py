"""A deploy or destroy that is cut off after any of its writes is finished by running it again.

In process, on a fast clock. Which calls write is read from the local cloud's request log, so a step
that is new is met here without a line of its own.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.cloud import artifactregistry_v1
from tests.support.crashes import (
    Deaths,
    Killed,
    MortalCaller,
    destroy_all,
    tiny_deployer,
    wait_out_lease,
)
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

_numbers = itertools.count(1)
HURRY = 0.3
MOST_LIVES = 200


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("crashes") / "cloud", clock=FastClock())
    yield running
    running.stop()


def new_deployer(cloud: RunningCloud) -> Deployer:
    """Works on a project of its own, one call after the other."""
    return tiny_deployer(cloud, f"crashes-{next(_numbers)}", parallelism=1)


@pytest.fixture
def deployer(cloud: RunningCloud) -> Deployer:
    return new_deployer(cloud)


def writes_since(cloud: RunningCloud, seq: int) -> Counter[str]:
    return Counter(row.method for row in cloud.cloud.pipeline.log.since(seq, 100_000) if row.writes)


def latest(cloud: RunningCloud) -> int:
    return cloud.cloud.pipeline.log.latest()


def foreign(deployer: Deployer) -> list[Any]:
    """What somebody else has in the project; made by the first call, read by every one."""
    cloud, project = deployer.cloud, deployer.project
    cloud.enable("artifactregistry.googleapis.com", "storage.googleapis.com", project=project)
    storage = cloud.storage_client(project=project)
    bucket = storage.lookup_bucket(f"theirs-{project}")
    if bucket is None:
        bucket = storage.create_bucket(f"theirs-{project}")
        bucket.blob("precious").upload_from_string("theirs")
    kernel, member = cloud.kernel, f"serviceAccount:theirs@{project}.iam.gserviceaccount.com"
    if kernel.identity.account(member.partition(":")[2]) is None:
        kernel.identity.create_account(project, "theirs", "Theirs", "gpupipe:no")
        kernel.policies.grant(f"projects/{project}", "roles/logging.logWriter", member)
    parent = f"projects/{project}/locations/us-central1"
    client = cloud.client(artifactregistry_v1.ArtifactRegistryClient)
    theirs = [one for one in client.list_repositories(parent=parent) if one.name.endswith("theirs")]
    if not theirs:
        form = artifactregistry_v1.Repository.Format.DOCKER
        theirs = [
            client.create_repository(
                parent=parent,
                repository_id="ml-pipeline-theirs",
                repository=artifactregistry_v1.Repository(format_=form),
            ).result(timeout=60)
        ]
    policy = kernel.policies.get(f"projects/{project}")
    bucket.reload()
    return [
        bucket.metageneration,
        [(one.name, one.generation, one.metageneration) for one in bucket.list_blobs()],
        kernel.identity.account(member.partition(":")[2]),
        sorted(one.role for one in policy.bindings if member in one.members),
        [(one.name, one.update_time) for one in theirs],
    ]


def check_complete(deployer: Deployer) -> None:
    """All is as it should be, and a deploy writes nothing."""
    before = latest(deployer.cloud)
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    assert done.plan.writes == ()
    assert writes_since(deployer.cloud, before) == Counter()


def check_gone(deployer: Deployer) -> None:
    outcome, leftovers = destroy_all(deployer, deployer.connect())
    assert not outcome.failed, outcome
    assert leftovers == ()


def mortal(deployer: Deployer, deaths: Deaths) -> MortalCaller:
    return MortalCaller(deployer.clock, hurry=HURRY, cloud=deployer.cloud, deaths=deaths)


@dataclass(frozen=True)
class Clean:
    """A pipeline whose deploy nobody disturbed. writes: its calls that wrote, by method."""

    deployer: Deployer
    writes: Counter[str]
    theirs: list[Any]


@pytest.fixture(scope="module")
def clean(cloud: RunningCloud) -> Clean:
    deployer = new_deployer(cloud)
    theirs, before = foreign(deployer), latest(cloud)
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    return Clean(deployer, writes_since(cloud, before), theirs)


def of_objects(method: str) -> bool:
    """The lease and the sources of builds: each life writes its own."""
    return method.startswith("storage.objects.")


def without_objects(writes: Counter[str]) -> dict[str, int]:
    """What a deploy makes, each with how often; waiting is not a part of it."""
    return {
        method: times
        for method, times in writes.items()
        if not of_objects(method) and not method.startswith("control.")
    }


def test_deploys_that_are_killed_after_each_of_their_writes(
    deployer: Deployer, clean: Clean
) -> None:
    cloud, deaths = deployer.cloud, Deaths()
    theirs, before = foreign(deployer), latest(deployer.cloud)
    while True:
        try:
            deployer.deploy(canary=False, caller=mortal(deployer, deaths))
            break
        except Killed:
            assert len(deaths.points) < MOST_LIVES
            wait_out_lease(cloud)
    # Each write was the last of one life, and nothing was made twice or built again.
    made = without_objects(writes_since(cloud, before))
    assert made == without_objects(clean.writes)
    assert len(deaths.points) >= sum(made.values())
    check_complete(deployer)
    check_gone(deployer)
    assert foreign(deployer) == theirs


def test_a_deploy_that_loses_one_answer_of_every_kind(deployer: Deployer, clean: Clean) -> None:
    """The write was done, and the connection broke before its answer came."""
    cloud, theirs = deployer.cloud, foreign(deployer)
    before = latest(cloud)
    for method in clean.writes:
        cloud.control("POST", "faults", {"kind": "lost", "method": method})
    try:
        assert not deployer.deploy(canary=False).outcome.failed
        faults = cloud.control("GET", "faults")["faults"]
    finally:
        cloud.control("DELETE", "faults")
    assert {fault["method"]: fault["left"] for fault in faults} == dict.fromkeys(clean.writes, 0)
    check_complete(deployer)
    made = without_objects(writes_since(cloud, before))
    assert made["cloudbuild.builds.create"] == 3, made
    check_gone(deployer)
    assert foreign(deployer) == theirs


@pytest.mark.promise(4)
def test_destroys_that_are_killed_after_each_of_their_writes(clean: Clean) -> None:
    """The last test here: the pipeline that was not disturbed is gone afterwards."""
    deployer, deaths = clean.deployer, Deaths()
    while True:
        try:
            outcome, leftovers = destroy_all(deployer, deployer.connect(mortal(deployer, deaths)))
            break
        except Killed:
            assert len(deaths.points) < MOST_LIVES
            wait_out_lease(deployer.cloud)
    assert not outcome.failed, outcome
    assert leftovers == ()
    assert len(deaths.points) > len(clean.deployer.steps) - 8
    assert foreign(deployer) == clean.theirs
