"""Givens of rows about builds, images, logs and monitoring; `tests.support.givens` has them all."""

import io
import tarfile
from collections.abc import Callable, Mapping

from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.services.monitoring.alert_rules import AlertPolicy
from gpupipe.localcloud.services.monitoring.alerts import policies_of
from gpupipe.localcloud.services.monitoring.channels import NotificationChannel, channels_of
from tests.support.world import REGION, World

DOCKERFILE = """FROM python:3.11-slim
COPY app.py /app/app.py
CMD ["python", "/app/app.py"]
"""


def archive(files: Mapping[str, str]) -> bytes:
    """A .tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(mode="w:gz", fileobj=packed) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def build_source(world: World) -> None:
    """The bucket {project}-bucket holds source.tar.gz: a Dockerfile and a file to copy."""
    bucket = world.cloud.storage_client(world.project).create_bucket(
        f"{world.project}-bucket", location=REGION
    )
    packed = archive({"Dockerfile": DOCKERFILE, "app.py": "print('hello')\n"})
    bucket.blob("source.tar.gz").upload_from_string(packed)


def build_roles(world: World) -> None:
    """The account runtime@ has what a build takes, on the project."""
    for role in ("storage.objectViewer", "artifactregistry.writer", "logging.logWriter"):
        world.account("runtime", f"roles/{role}")


def dashboard(world: World) -> None:
    """The dashboard "mine" exists."""
    name = f"projects/{world.project}/dashboards/mine"
    world.client("dashboards").create_dashboard(
        request={
            "parent": f"projects/{world.project}",
            "dashboard": {"name": name, "display_name": "Mine"},
        }
    )


def alert_policy(world: World) -> None:
    """The alert policy "1" is stored: the server chooses such ids itself."""
    parent = f"projects/{world.project}"
    policy = AlertPolicy(name=f"{parent}/alertPolicies/1", display_name="Mine", combiner="OR")
    test = policy.conditions.add(display_name="Requests").condition_threshold
    test.filter = (
        'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"'
    )
    test.comparison = 1
    policies_of(world.cloud.kernel).put(policy.name, policy)


def pushed(world: World) -> None:
    """The repository "images" holds the image server:v1, an empty folder."""
    folder = world.cloud.home / "given" / world.project
    folder.mkdir(parents=True)
    repository = f"projects/{world.project}/locations/{REGION}/repositories/images"
    images = world.cloud.kernel.images
    digest = images.import_folder(repository, "server", folder, ImageConfig())
    images.tag(repository, "server", "v1", digest)


def quota_preference(world: World) -> None:
    """The quota preference "mine" asks for five L4 in the region."""
    world.client("cloudquotas").create_quota_preference(
        request={
            "parent": f"projects/{world.project}/locations/global",
            "quota_preference_id": "mine",
            "quota_preference": {
                "service": "run.googleapis.com",
                "quota_id": "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion",
                "dimensions": {"region": REGION},
                "quota_config": {"preferred_value": 5},
                "contact_email": "someone@example.com",
            },
        }
    )


def channel(world: World) -> None:
    """The notification channel "1" is stored: the server chooses such ids itself."""
    parent = f"projects/{world.project}"
    stored = NotificationChannel(name=f"{parent}/notificationChannels/1", type_="email")
    stored.labels["email_address"] = "someone@example.com"
    channels_of(world.cloud.kernel).put(stored.name, stored)


def channel_in_use(world: World) -> None:
    """The alert policy "1" names the channel "1"."""
    alert_policy(world)
    channel(world)
    policies = policies_of(world.cloud.kernel)
    policy = policies.existing(f"projects/{world.project}/alertPolicies/1")
    policy.notification_channels.append(f"projects/{world.project}/notificationChannels/1")
    policies.put(policy.name, policy)


GIVENS: dict[str, Callable[[World], None]] = {
    "alert_policy": alert_policy,
    "build_roles": build_roles,
    "build_source": build_source,
    "channel": channel,
    "channel_in_use": channel_in_use,
    "dashboard": dashboard,
    "pushed": pushed,
    "quota_preference": quota_preference,
}
