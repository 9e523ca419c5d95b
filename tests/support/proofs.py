"""What holds after every deploy and destroy, whatever happened on the way.

The second deploy writes nothing, a destroy leaves nothing, and what is somebody else's is untouched.
"""

from collections import Counter
from typing import Any

from google.cloud import artifactregistry_v1

from tests.support.crashes import destroy_all
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer


def latest(cloud: RunningCloud) -> int:
    """The number of the newest call."""
    return cloud.cloud.pipeline.log.latest()


def writes_since(cloud: RunningCloud, seq: int) -> Counter[str]:
    """How often each method changed something."""
    return Counter(row.method for row in cloud.cloud.pipeline.log.since(seq, 100_000) if row.writes)


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
    assert done.plan.writes == (), "\n".join(map(str, done.plan.writes))
    assert writes_since(deployer.cloud, before) == Counter()


def check_gone(deployer: Deployer) -> None:
    """A destroy goes well and leaves nothing."""
    outcome, leftovers = destroy_all(deployer, deployer.connect())
    assert not outcome.failed, outcome
    assert leftovers == ()
