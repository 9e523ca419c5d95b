"""Givens of rows about builds, images, logs and monitoring; `tests.support.givens` has them all."""

from collections.abc import Callable

from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.services.monitoring.alert_rules import AlertPolicy
from tests.support.world import REGION, World


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
    body = policy.SerializeToString()
    world.cloud.kernel.resources.put("monitoring.alertPolicy", policy.name, parent, body)


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


GIVENS: dict[str, Callable[[World], None]] = {
    "alert_policy": alert_policy,
    "dashboard": dashboard,
    "pushed": pushed,
    "quota_preference": quota_preference,
}
