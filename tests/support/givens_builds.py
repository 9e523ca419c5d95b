"""Givens of rows about builds, images, logs and monitoring; `tests.support.givens` has them all."""

from collections.abc import Callable

from gpupipe.localcloud.services.monitoring.alert_rules import AlertPolicy
from tests.support.world import World


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


GIVENS: dict[str, Callable[[World], None]] = {
    "alert_policy": alert_policy,
    "dashboard": dashboard,
}
