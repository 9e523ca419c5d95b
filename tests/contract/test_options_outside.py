"""Options that name what is of other APIs: networks, connectors, a key; and who must be let in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.cloud import artifactregistry_v1, run_v2, workflows_v1
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.policies import violations

from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy.keys import agents
from gpupipe.deploy.preflight.checks import Check, preflight
from gpupipe.deploy.preflight.finding import Finding, Level
from gpupipe.deploy.preflight.key import key as key_check

PROJECT, REGION = "outside-project", "us-central1"
RING = f"projects/{PROJECT}/locations/{REGION}/keyRings/ring/cryptoKeys"
KEY, OTHER = f"{RING}/mine", f"{RING}/other"
CONNECTOR = f"projects/{PROJECT}/locations/{REGION}/connectors/mine"
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
SERVICES = ("preprocess", "gpu-inference", "postprocess")
BUCKETS = ("input", "models", "output", "work", "staging")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("outside") / "cloud", clock=FastClock())
    running.kernel.projects.ensure(PROJECT)
    # Room for two revisions of two pipelines at once: quotas are not what is tried here.
    for quota in ("CpuAllocPerProjectRegion", "MemAllocPerProjectRegion"):
        running.kernel.quotas.set(PROJECT, "run.googleapis.com", quota, REGION, 10**15)
    running.kernel.quotas.set(
        PROJECT,
        "run.googleapis.com",
        "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion",
        REGION,
        9,
    )
    yield running
    running.stop()


def deployer(cloud: RunningCloud, folder: Path, text: str) -> Deployer:
    file = folder / "gpupipe.toml"
    file.write_text(text, encoding="utf-8")
    return tiny_deployer(cloud, PROJECT, file=file)


def encrypters(cloud: RunningCloud) -> dict[str, str]:
    project = cloud.kernel.projects.ensure(PROJECT)
    return agents(project.number)


def add(cloud: RunningCloud, name: str, *accounts: str) -> None:
    cloud.control("POST", "resources", {"name": name, "encrypters": list(accounts)})


def told(one: Deployer) -> Sequence[Finding]:
    return preflight(one.engine().world, [Check("key", key_check)])


@pytest.mark.promise(120)
def test_doctor_names_each_agent_that_may_not_use_the_key_and_a_deploy_is_refused_without(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    one = deployer(cloud, tmp_path, f'prefix = "closed"\nkms_key = "{RING}/closed"')
    (before,) = told(one)
    assert before.level is Level.UNKNOWN  # a key that is not there is told like a closed one
    assert all(email in before.fix for email in encrypters(cloud).values())
    add(cloud, f"{RING}/closed")
    missing = dict(encrypters(cloud))
    while missing:
        found = told(one)
        assert [finding.level for finding in found] == [Level.WARNING] * len(missing)
        for finding, (api, email) in zip(found, missing.items(), strict=True):
            assert finding.what == f"{email} has no {ROLE} on {RING}/closed."
            assert f"--member serviceAccount:{email} --role {ROLE}" in finding.fix
            assert f"The service agent of {api} encrypts" in finding.why
        if len(missing) == 1:
            assert_refused(one, next(iter(missing.values())))
        add(cloud, f"{RING}/closed", missing.pop(next(iter(missing))))
    assert [finding.level for finding in told(one)] == [Level.OK]
    plan = one.engine().plan()
    (note,) = [line for line in one.engine().notes(plan) if line.startswith("kms_key: ")]
    assert ROLE in note


def assert_refused(one: Deployer, agent: str) -> None:
    """A deploy without the last grant, that of the workflow's agent, fails and says what is missing."""
    done = one.deploy(canary=False)
    (error,) = [error for action, error in done.outcome.errors if action.step == "workflow"]
    assert error.exit is Exit.CREDENTIALS
    assert agent in (error.details or "")
    assert "gpupipe doctor" in error.resolution


@pytest.mark.promise(117)
@pytest.mark.promise(120)
def test_key_network_and_ingress_are_read_back_from_the_apis(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    add(cloud, KEY, *encrypters(cloud).values())
    add(cloud, CONNECTOR)
    text = f'kms_key = "{KEY}"\ningress = "internal-and-cloud-load-balancing"\nprefix = "mine"\n'
    one = deployer(
        cloud, tmp_path, f'{text}[vpc]\nnetwork = "default"\nsubnetwork = "default"\n'
    )  # fmt: skip
    done = one.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    assert one.engine().plan().writes == ()
    for name in SERVICES:
        service = get_service(cloud, name)
        assert service.ingress.name == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
        assert service.template.encryption_key == KEY
        access = service.template.vpc_access
        assert access.egress.name == "PRIVATE_RANGES_ONLY"
        (interface,) = access.network_interfaces
        assert (interface.network, interface.subnetwork) == ("default", "default")
        revision = cloud.client(run_v2.RevisionsClient).get_revision(
            name=service.latest_ready_revision
        )
        assert (revision.encryption_key, revision.vpc_access) == (KEY, access)
    assert_encrypted(cloud)
    assert violations(one) == []

    one = deployer(
        cloud, tmp_path, f'{text}[vpc]\nconnector = "{CONNECTOR}"\negress = "ALL_TRAFFIC"\n'
    )  # fmt: skip
    assert not one.deploy(canary=False).outcome.failed
    for name in SERVICES:
        access = get_service(cloud, name).template.vpc_access
        assert (access.connector, access.egress.name) == (CONNECTOR, "ALL_TRAFFIC")
        assert not access.network_interfaces
    assert one.engine().plan().writes == ()

    add(cloud, OTHER, *encrypters(cloud).values())
    changed = deployer(cloud, tmp_path, f'prefix = "mine"\nkms_key = "{OTHER}"')
    with pytest.raises(GpupipeError, match="chosen when it is made") as caught:
        changed.engine().plan()
    assert KEY in (caught.value.details or "")


def get_service(cloud: RunningCloud, name: str) -> Any:
    return cloud.client(run_v2.ServicesClient).get_service(
        name=f"projects/{PROJECT}/locations/{REGION}/services/mine-{name}"
    )


def assert_encrypted(cloud: RunningCloud) -> None:
    """Repository, workflow and buckets have the key; an object tells the version that encrypts it."""
    parent = f"projects/{PROJECT}/locations/{REGION}"
    repository = cloud.client(artifactregistry_v1.ArtifactRegistryClient).get_repository(
        name=f"{parent}/repositories/mine-containers"
    )
    workflow = cloud.client(workflows_v1.WorkflowsClient).get_workflow(
        name=f"{parent}/workflows/mine-ml-pipeline"
    )
    assert (repository.kms_key_name, workflow.crypto_key_name) == (KEY, KEY)
    storage = cloud.storage_client(project=PROJECT)
    for role in BUCKETS:
        assert storage.get_bucket(f"mine-{role}-{PROJECT}").default_kms_key_name == KEY
    blob = storage.bucket(f"mine-models-{PROJECT}").blob("one")
    blob.upload_from_string("x")
    assert blob.kms_key_name == f"{KEY}/cryptoKeyVersions/1"


def test_a_key_that_is_elsewhere_stops_a_deploy_before_it_writes(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    text = f'kms_key = "{RING}/some"\n[buckets.work]\nlocation = "eu"\n'
    found = told(deployer(cloud, tmp_path, text))
    assert [one.what for one in found if one.level is Level.BLOCKER] == [
        "The key is in us-central1, the work bucket in eu."
    ]
    found = told(deployer(cloud, tmp_path, f'region = "europe-west4"\nkms_key = "{RING}/some"\n'))
    places = [one.what for one in found if one.level is Level.BLOCKER]
    assert places[0] == (
        "The key is in us-central1, services, images and workflow in europe-west4."
    )  # fmt: skip
    assert len(places) == 1 + len(BUCKETS)


def test_what_is_not_there_is_refused_by_its_name(cloud: RunningCloud, tmp_path: Path) -> None:
    one = deployer(cloud, tmp_path, 'prefix = "nowhere"\n[vpc]\nnetwork = "their-network"')
    done = one.deploy(canary=False)
    details = [error.details or "" for _, error in done.outcome.errors]
    assert any(f"projects/{PROJECT}/global/networks/their-network" in text for text in details)
